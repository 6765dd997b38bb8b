"""The drill of retries: some parents, files and tables fail among very many, and `etl retry` takes exactly these."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import psycopg
import yaml

from etl_assets.drills.installation import Installation, scratch_installation
from etl_assets.sandbox.open_dental.fill import host
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets.sandbox.trialsync.books import Books, Scale
from etl_assets.sandbox.trialsync.service import Service
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.warehouse.connection import warehouse_url

PATIENTS_JOB, ALLERGIES_JOB = 3, 148
"""A list of patients, and a request for the allergies of each of them."""
DAYS = 212
"""Some 500 files: three of a weekday, one of another day."""
OPEN_DENTAL_PATIENTS = 40
OTHERS = 2
"""Requests besides, such as the one that asks what a service is."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many there are, and how many of them fail."""

    parents: int = 10_000
    failing_parents: int = 7
    days: int = DAYS
    failing_files: int = 3


def drill_retry(say: Callable[[str], None], size: Size = Size()) -> bool:
    """Have some parents, files and tables fail; returns whether a retry took these and nothing else."""
    with scratch_installation({}) as at:
        results = [retry_parents(at, size), retry_files(at, size), retry_tables(at)]
    for what, is_right in results:
        say(f"{'ok  ' if is_right else 'FAIL'}  {what}")
    return all(is_right for _, is_right in results)


def retry_parents(at: Installation, size: Size) -> tuple[str, bool]:
    """Parents whose request fails: what became of it, and whether a retry asked for these alone."""
    failing = "select count(*) from etl.parent_request where failures > 0"
    with Service(Books(scale=Scale(patients=size.parents, studies=1, subjects=0, visits=1))) as service:
        given = {"ETL_TRIALSYNC_INSTANCES": "north", "ETL_TRIALSYNC_NORTH_REQUESTS_PER_SECOND": "100000"}
        at.environment.update({**given, **service.settings("north")})
        at.etl("run", "trialsync", "--job", str(PATIENTS_JOB), "--only-load")
        patients = at.query("select data ->> 'id' from trialsync_staging.dim_patients_staging order by random()")
        for (patient,) in patients[: size.failing_parents]:
            service.faults.plan("status", path=f"*patients/{patient}/allergies", times=100, status=400)
        at.etl("run", "trialsync", "--job", str(ALLERGIES_JOB), "--only-load", expected=1)
        ((failed,),) = at.query(failing)
        service.faults.clear()
        service.requests.clear()
        at.etl("retry", "trialsync")
        others = service.requests.total() - (asked := service.requests["patients/{}/allergies"])
        ((left,),) = at.query(failing)
    what = f"{failed:,} of {len(patients):,} parents failed: the retry asked for {asked}, and {others} things besides"
    right = (size.parents, size.failing_parents, size.failing_parents, 0)
    return f"{what}, and {left} fail still", (len(patients), failed, asked, left) == right and others <= OTHERS


def retry_files(at: Installation, size: Size) -> tuple[str, bool]:
    """Files that are refused for a header that no feed knows: whether a retry loads these alone, once one does."""
    written = write_files(at.landing, start=date(2026, 1, 5), days=size.days, rooms=2, split="day").files
    refused = sorted(path for path in at.landing.iterdir() if path.name.startswith("or_case"))[: size.failing_files]
    for path in refused:
        header, _, rows = path.read_text().partition("\n")
        path.write_text(header.replace("case_id", "number of the case") + "\n" + rows)
    at.etl("run", "operating_room", "--only-load")
    count = "select count(*) from etl.source_file where status = 'failed'"
    ((failed,),) = at.query(count)
    feeds = at.settings.home / "feeds.yaml"
    columns = {"case_id": "number of the case"}
    feeds.write_text(
        yaml.safe_dump(
            [
                {"name": f"odd_{place}", "table": "or_case", "pattern": path.name, "columns": columns}
                for place, path in enumerate(refused)
            ]
        )
    )
    at.environment["ETL_FEEDS"] = str(feeds)
    before = _newest_load(at)
    at.etl("retry", "operating_room")
    ((again,),) = at.query("select count(distinct file_id) from etl.table_load where load_id > %s", before)
    ((left,),) = at.query(count)
    what = f"{failed} of {len(written)} files were refused: the retry loaded {again}, and {left} are refused still"
    return what, (failed, again, left) == (size.failing_files, size.failing_files, 0)


def retry_tables(at: Installation) -> tuple[str, bool]:
    """Tables that somebody holds at the source: whether a retry loads these alone, once nobody does."""
    tables = ("pharmacy", "sheetdef")
    at.environment["ETL_OPEN_DENTAL_URL"] = host(warehouse_url(at.settings), patients=OPEN_DENTAL_PATIENTS)
    at.etl("run", "open_dental", "--only-load")
    with psycopg.connect(at.environment["ETL_OPEN_DENTAL_URL"]) as source:
        source.execute("lock table pharmacy, sheetdef in access exclusive mode")
        at.etl("run", "open_dental", "--only-load", expected=1)
    failed = {name for (name,) in at.query("select relation from etl.table_failure")}
    before = _newest_load(at)
    at.etl("retry", "open_dental")
    loaded = {name for (name,) in at.query("select relation from etl.table_load where load_id > %s", before)}
    ((left,),) = at.query("select count(*) from etl.table_failure")
    every, loads = len(OPEN_DENTAL.tables), f"the retry loaded {len(loaded)}, and {left} fail still"
    what = f"{len(failed)} of {every} tables failed: {loads}"
    wanted = {f"{OPEN_DENTAL.schema}.{name}" for name in tables}
    return what, (failed, loaded, left) == (wanted, wanted, 0)


def _newest_load(at: Installation) -> int:
    ((number,),) = at.query("select coalesce(max(load_id), 0) from etl.table_load")
    return int(number)
