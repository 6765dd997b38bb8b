"""GoHighLevel REST client (API v2): a bearer token a location, and two limits. See README.md here for its manners."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote

import msgspec

from etl_assets.declare.document_reader import DocumentReader
from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import BearerToken
from etl_assets.readers.rest.client import HttpClient, RequestRejected
from etl_assets.readers.rest.rate_limit import RateLimiter
from etl_assets.readers.rest.reader import RestReader
from etl_assets.readers.rest.retries import RetryPolicy

REQUIRED_SETTINGS = ("location_id", "token")
URL = "https://services.leadconnectorhq.com"
"""Of all locations; ETL_GOHIGHLEVEL_<INSTANCE>_URL says another, such as a stand-in's."""
VERSION = "2021-07-28"
"""Of the API; without it in a header nothing is answered."""
BURST_CALLS, BURST = 100, timedelta(seconds=10)
"""What the vendor allows of a location. Of the 200,000 a day, its answers tell when they are spent."""
PROBE = "locations/{}/customFields"
"""The smaller of the two lists: what refuses it would refuse the other."""
_NOT_OURS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def connect_gohighlevel(given: Mapping[str, str], retry_policy: RetryPolicy = RetryPolicy()) -> DocumentReader:  # noqa: B008 (it is frozen)
    """Connect to the location that the settings name, once it has let the token in.

    Raises:
        EtlError: The token is not good, or not for this location.
        TransientError: The service cannot be reached.
    """
    client = HttpClient(
        given.get("url", URL),
        auth=BearerToken(given["token"]),
        headers={"Version": VERSION},
        rate_limiter=RateLimiter(BURST_CALLS, BURST),
        retry_policy=retry_policy,
        connections=1,
    )
    try:
        client.get(PROBE.format(quote(given["location_id"], safe="")), parse=msgspec.json.decode)
    except RequestRejected as error:
        client.close()
        if error.status in _NOT_OURS:
            raise EtlError(
                f"{error}. Nothing was read. ETL_GOHIGHLEVEL_<INSTANCE>_TOKEN must be a private integration token of"
                " the location that _LOCATION_ID names, with the scopes contacts.readonly and"
                " locations/customFields.readonly."
            ) from None
        raise
    except BaseException:
        client.close()
        raise
    return RestReader(client, connections=1, settings=given)
