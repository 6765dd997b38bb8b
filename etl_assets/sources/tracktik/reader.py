"""How one speaks to TrackTik: OAuth2 by password, pages by limit and offset. See README.md here for its manners."""

from collections.abc import Mapping

from etl_assets.declare.rest import DocumentReader
from etl_assets.declare.tables import Endpoint, Full, Table
from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient
from etl_assets.readers.rest.oauth import PasswordGrant
from etl_assets.readers.rest.paging import OffsetPages
from etl_assets.readers.rest.rate_limit import Pace
from etl_assets.readers.rest.retries import Patience

NEEDS = ("url", "client_id", "client_secret", "username", "password")
CALLS_PER_MINUTE = 30
"""What a tenant is known to allow; ETL_TRACKTIK_CALLS_PER_MINUTE says another number."""
CONNECTIONS = 6
VERSION = {"Accept": "application/vnd.tracktik.v2020-01-01+json"}
REGIONS = Table(
    name="regions", key="id", load=Full(), endpoint=Endpoint(path="regions", parameters={"includeInactive": "true"})
)


def connect(given: Mapping[str, str], patience: Patience = Patience()) -> DocumentReader:  # noqa: B008 (it is frozen)
    """A connection to the tenant that the settings name.

    Raises:
        EtlError: A setting cannot be used, or the tenant does not know the regions that are asked for.
    """
    calls = given.get("calls_per_minute", str(CALLS_PER_MINUTE))
    if not (calls.isascii() and calls.isdigit()) or int(calls) < 1:
        raise EtlError(f"ETL_TRACKTIK_CALLS_PER_MINUTE is {calls!r}; a number from 1 on was expected.")
    authority = PasswordGrant(
        client_id=given["client_id"],
        client_secret=given["client_secret"],
        username=given["username"],
        password=given["password"],
        variables="ETL_TRACKTIK",
    )
    client = HttpClient(
        given["url"],
        authority=authority,
        headers=VERSION,
        pace=Pace(int(calls)),
        patience=patience,
        connections=CONNECTIONS,
    )
    wanted = {word.strip() for word in given.get("regions", "").split(",") if word.strip()}
    if "regions" in given and not wanted:
        raise EtlError("ETL_TRACKTIK_REGIONS names no region. Leave it out to read all of them.")
    reader = OffsetPages(
        client, connections=CONNECTIONS, headers={"TTC-Region-Filter": ",".join(sorted(wanted))} if wanted else None
    )
    try:
        _hold_to_regions(reader, wanted)
    except BaseException:
        reader.close()
        raise
    return reader


def _hold_to_regions(reader: OffsetPages, wanted: set[str]) -> None:
    """Ids that the tenant does not know are dropped from the filter, and without any left it gives everything."""
    given = {str(each.key) for page in reader.read(REGIONS) for each in page.documents} if wanted else set()
    if unknown := sorted(wanted - given):
        raise EtlError(
            f"ETL_TRACKTIK_REGIONS names {', '.join(unknown)}, which the user may not see. Nothing was read: TrackTik"
            " would drop these ids from the filter without a word, and without any left give every region."
        )
