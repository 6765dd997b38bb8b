"""Clinical Conductor REST client: a key in a header, a rate an instance. See README.md here for its manners."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec

from etl_assets.declare.document_reader import DocumentReader
from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import ApiKey
from etl_assets.readers.rest.client import HttpClient, RequestRejected
from etl_assets.readers.rest.rate_limit import RateLimiter
from etl_assets.readers.rest.reader import RestReader
from etl_assets.readers.rest.retries import RetryPolicy

REQUIRED_SETTINGS = ("url", "api_key")
HEADER = "CCAPIKey"
"""What the vendor's specification calls it; ETL_TRIALSYNC_<INSTANCE>_HEADER says another name."""
BASE_PATHS = {"CC": "/CCSWEB", "CCE": "/CCEWEB", "CCS": "/CCSWEB"}
"""Where an instance of each type has its API, if the address does not say it."""
REQUESTS_PER_SECOND = 8
"""The vendor asks for 5 to 10; ETL_TRIALSYNC_<INSTANCE>_REQUESTS_PER_SECOND says another number."""
PROBE = "api/v1/instance/details"
"""Every type of instance has it: an address that does not answer there is none of Clinical Conductor."""


def connect_trialsync(given: Mapping[str, str], retry_policy: RetryPolicy = RetryPolicy()) -> DocumentReader:  # noqa: B008 (it is frozen)
    """Connect to the instance that the settings name, once it has shown that it is one.

    Raises:
        EtlError: A setting cannot be used, or there is no Clinical Conductor at the address.
        TransientError: It cannot be reached.
    """
    connections = _number(given, "connections", 8)
    client = HttpClient(
        base_url(given),
        auth=ApiKey(given.get("header", HEADER), given["api_key"]),
        rate_limiter=RateLimiter(_number(given, "requests_per_second", REQUESTS_PER_SECOND), timedelta(seconds=1)),
        retry_policy=retry_policy,
        connections=connections,
    )
    try:
        client.get(PROBE, parse=msgspec.json.decode)
    except RequestRejected as error:
        client.close()
        if error.is_missing:
            raise EtlError(
                f"{base_url(given)} is no Clinical Conductor: it has no /{PROBE}. Nothing was read. Is the path in the"
                " address right, or the type of the instance (CC, CCE or CCS)?"
            ) from None
        raise
    except BaseException:
        client.close()
        raise
    return RestReader(client, connections=connections)


def base_url(given: Mapping[str, str]) -> str:
    """The address that all paths begin with: as it is set, or with the base path of the instance's type.

    An address that ends with a slash behind its host is meant as it is.

    Raises:
        EtlError: There is no such type.
    """
    url, kind = given["url"], given.get("type", "CCS").upper()
    if kind not in BASE_PATHS:
        raise EtlError(f"The type of an instance is {' or '.join(BASE_PATHS)}, and not {kind!r}.")
    return url.rstrip("/") if urlsplit(url).path else url + BASE_PATHS[kind]


def _number(given: Mapping[str, str], word: str, otherwise: int) -> int:
    text = given.get(word, str(otherwise))
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise EtlError(f"ETL_TRIALSYNC_<INSTANCE>_{word.upper()} is {text!r}; a number from 1 on was expected.")
    return int(text)
