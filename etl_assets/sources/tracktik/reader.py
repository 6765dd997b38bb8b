"""TrackTik REST client: OAuth2 password grant, offset pagination. See README.md here for its manners."""

from collections.abc import Mapping

from etl_assets.declare.document_reader import DocumentReader
from etl_assets.declare.rest import RestTable
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient
from etl_assets.readers.rest.oauth import PasswordGrant
from etl_assets.readers.rest.rate_limit import RateLimiter
from etl_assets.readers.rest.reader import RestReader
from etl_assets.readers.rest.retries import RetryPolicy
from etl_assets.sources.tracktik.tables import listed

REQUIRED_SETTINGS = ("url", "client_id", "client_secret", "username", "password")
CALLS_PER_MINUTE = 30
"""What a tenant is known to allow; ETL_TRACKTIK_CALLS_PER_MINUTE says another number."""
CONNECTIONS = 6
API_VERSION = {"Accept": "application/vnd.tracktik.v2020-01-01+json"}
REGIONS = RestTable(
    name="regions", key="id", load=Full(), endpoint=listed(path="regions", parameters={"includeInactive": "true"})
)


def connect_tracktik(given: Mapping[str, str], retry_policy: RetryPolicy = RetryPolicy()) -> DocumentReader:  # noqa: B008 (it is frozen)
    """Connect to the tenant that the settings name.

    Raises:
        EtlError: A setting cannot be used, or the tenant does not know the regions that are asked for.
    """
    calls = given.get("calls_per_minute", str(CALLS_PER_MINUTE))
    if not (calls.isascii() and calls.isdigit()) or int(calls) < 1:
        raise EtlError(f"ETL_TRACKTIK_CALLS_PER_MINUTE is {calls!r}; a number from 1 on was expected.")
    auth = PasswordGrant(
        client_id=given["client_id"],
        client_secret=given["client_secret"],
        username=given["username"],
        password=given["password"],
        env_prefix="ETL_TRACKTIK",
    )
    client = HttpClient(
        given["url"],
        auth=auth,
        headers=API_VERSION,
        rate_limiter=RateLimiter(int(calls)),
        retry_policy=retry_policy,
        connections=CONNECTIONS,
    )
    wanted = {region.strip() for region in given.get("regions", "").split(",") if region.strip()}
    if "regions" in given and not wanted:
        raise EtlError("ETL_TRACKTIK_REGIONS names no region. Leave it out to read all of them.")
    reader = RestReader(
        client, connections=CONNECTIONS, headers={"TTC-Region-Filter": ",".join(sorted(wanted))} if wanted else None
    )
    try:
        _check_regions(reader, wanted)
    except BaseException:
        reader.close()
        raise
    return reader


def _check_regions(reader: RestReader, wanted: set[str]) -> None:
    """Raise where the tenant does not know a region: it drops such ids, and without any left gives everything."""
    given = {str(each.key[0]) for page in reader.read(REGIONS) for each in page.documents} if wanted else set()
    if unknown := sorted(wanted - given):
        raise EtlError(
            f"ETL_TRACKTIK_REGIONS names {', '.join(unknown)}, which the user may not see. Nothing was read: TrackTik"
            " would drop these ids from the filter without a word, and without any left give every region."
        )
