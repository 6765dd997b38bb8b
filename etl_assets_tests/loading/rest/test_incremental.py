"""Lists whose records say when they were changed: what is asked for, and that nothing is lost by asking for less."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from etl_assets.declare.endpoints import ChangedSince, Endpoint, OData, ODataList
from etl_assets.settings import Settings
from etl_assets_tests.loading.rest.trial_office import Office, open_office
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, json_answer

PAGE = 4
FILTER = re.compile(r"lastUpdatedOn ge (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z)")
NOW = datetime.now(UTC)


@dataclass
class Register:
    """A list of studies by OData's words, with the manners of its server; other paths are the office's."""

    office: Office
    zone: timezone = UTC
    """Whose local time stamps are written in."""
    writes_offset: bool = True
    ahead: timedelta = timedelta()
    """How far its stamps are ahead of what it takes the filter's moment for."""
    status: int = 0
    """What is said to a filter instead of an answer."""
    studies: dict[int, dict[str, object]] = field(default_factory=dict)
    moments: dict[int, datetime | None] = field(default_factory=dict)
    asked: list[datetime | None] = field(default_factory=list)
    """From when on each page was asked for."""
    meanwhile: Callable[[], object] | None = None
    """What happens once the first page was given."""

    def change(self, study: int, moment: datetime | None, name: str) -> None:
        local = moment.astimezone(self.zone) if moment else None
        stamp = local and (local if self.writes_offset else local.replace(tzinfo=None)).isoformat()
        self.studies[study] = {"id": study, "name": name, "lastUpdatedOn": stamp}
        self.moments[study] = moment

    def __call__(self, asked: Asked) -> Answer:
        if asked.path != "/studies":
            return self.office.answer(asked)
        since = None
        if "$filter" in asked.query:
            found = FILTER.fullmatch(asked.query["$filter"])
            if self.status or found is None:
                return json_answer([{"error": "BadRequest"}], status=self.status or 400)
            since = datetime.fromisoformat(found[1])
        self.asked.append(since)
        chosen = [self.studies[each] for each in sorted(self.studies) if not since or self.is_since(each, since)]
        skip = int(asked.query.get("$skip", 0))
        page = {"Items": chosen[skip : skip + PAGE], "NextPageLink": None, "Count": None}
        answer = json_answer(page)
        if self.meanwhile:
            happening, self.meanwhile = self.meanwhile, None
            happening()
        return answer

    def is_since(self, study: int, since: datetime) -> bool:
        moment = self.moments[study]
        return moment is not None and moment + self.ahead >= since


@pytest.fixture
def register(settings: Settings, tmp_path: Path) -> Iterator[Register]:
    with open_office(settings, tmp_path) as office:
        register = Register(office)
        office.script = register
        for study in range(10):
            register.change(study, NOW - timedelta(days=30 + 2 * study), f"Study {study}")
        declare(office)
        yield register


def declare(office: Office, **words: timedelta) -> None:
    """Have the list of studies read by OData and incrementally."""
    changes = ChangedSince(stamp="lastUpdatedOn", **{"whole_every": timedelta(hours=20), **words})
    endpoint = Endpoint(
        path="studies", envelope=ODataList(), paging=OData(size=PAGE, order_by=("id",), count=False), changes=changes
    )
    tables = []
    for table in office.source.tables:
        jobs = tuple(replace(job, endpoint=endpoint) if job.id == 1 else job for job in table.jobs)
        tables.append(replace(table, jobs=jobs, endpoint=jobs[0].endpoint))
    office.source = replace(office.source, tables=tuple(tables))


def load(register: Register, **options: bool) -> tuple[list[datetime | None], list[str]]:
    """Load the studies of the north; returns from when on it asked, and what it noted."""
    register.asked.clear()
    report = register.office.load("studies_staging", instances=["north"], **options)["studies_staging"]
    assert report.failure is None
    return sorted({*register.asked}, key=str), report.notes


def held(register: Register) -> dict[int, str]:
    rows = register.office.query(
        "select entity_id, data ->> 'name' from office_raw.studies_staging where vanished_at is null"
    )
    return dict(rows)


def names(register: Register) -> dict[int, object]:
    return {study: record["name"] for study, record in register.studies.items()}


def test_after_a_whole_read_only_what_has_changed_is_asked_for(register: Register) -> None:
    newest = NOW - timedelta(days=30)
    assert load(register) == ([None], [])
    register.zone = timezone(timedelta(hours=5))
    register.change(3, NOW - timedelta(hours=1), "renamed")
    register.change(12, NOW - timedelta(hours=2), "new")
    del register.studies[5]
    since = (newest - timedelta(days=1)).replace(microsecond=0)
    assert load(register) == ([since], [])
    assert held(register) == {**names(register), 5: "Study 5"}  # what was not asked for has not vanished
    runs = "select records, rows_updated, rows_vanished, changed_since is null from etl.job_run order by run_id"
    assert register.office.query(runs) == [(10, 0, 0, True), (3, 1, 0, False)]
    since = (NOW - timedelta(hours=1, days=1)).replace(microsecond=0)
    assert load(register) == ([since], [])


def test_a_whole_read_comes_when_it_is_due_and_marks_what_is_gone(register: Register) -> None:
    load(register)
    del register.studies[5]
    register.office.execute("update etl.job_state set whole_read_at = whole_read_at - interval '19 hours'")
    assert load(register)[0] != [None]
    register.office.execute("update etl.job_state set whole_read_at = whole_read_at - interval '1 hour'")
    assert load(register)[0] == [None]
    assert held(register) == names(register)
    assert load(register)[0] != [None]


@pytest.mark.parametrize("option", ["full_compare", "accept_shrink"])
def test_a_whole_read_can_be_asked_for(register: Register, option: str) -> None:
    load(register)
    assert load(register, **{option: True})[0] == [None]


def test_an_emptied_table_is_read_whole(register: Register) -> None:
    load(register)
    register.office.execute("truncate office_raw.studies_staging")
    assert load(register)[0] == [None]
    assert held(register) == names(register)


@pytest.mark.parametrize("whole", [True, False], ids=["a whole read", "a read of what changed"])
def test_what_changes_while_a_list_is_read_is_not_lost(register: Register, *, whole: bool) -> None:
    if not whole:
        load(register)
        for study in range(10):
            register.change(study, NOW - timedelta(minutes=50 - study), f"Again {study}")

    def happen() -> None:
        register.change(0, datetime.now(UTC), "changed behind the reader's back")
        register.change(9, datetime.now(UTC) + timedelta(hours=30), "stamped later than all, and read")

    register.meanwhile = happen
    load(register)
    assert held(register)[0] != names(register)[0]
    assert held(register)[9] == names(register)[9]
    assert None not in load(register)[0]
    assert held(register) == names(register)


@pytest.mark.parametrize("hours", [-12, 0, 14])
@pytest.mark.parametrize("manner", ["an offset", "none", "none, and takes local time for UTC"])
def test_stamps_in_the_local_time_of_any_zone_lose_nothing(register: Register, hours: int, manner: str) -> None:
    register.zone, register.writes_offset = timezone(timedelta(hours=hours)), manner == "an offset"
    register.ahead = timedelta(hours=hours if "UTC" in manner else 0)
    register.change(1, datetime.now(UTC) - timedelta(minutes=5), "the newest")
    load(register)
    register.change(2, datetime.now(UTC), "changed after it was read")
    register.change(3, datetime.now(UTC) - timedelta(hours=1), "stamped before, and seen only now")
    assert None not in load(register)[0]
    assert held(register) == names(register)


def test_a_stamp_that_lies_ahead_is_no_watermark(register: Register) -> None:
    register.change(1, datetime(2099, 1, 1, tzinfo=UTC), "of the next century")
    load(register)
    register.change(3, datetime.now(UTC), "changed")
    assert None not in load(register)[0]
    assert held(register) == names(register)


def test_a_list_without_stamps_is_read_whole(register: Register) -> None:
    for study in range(10):
        register.change(study, None, f"Study {study}")
    load(register)
    assert load(register)[0] == [None]
    register.studies[4]["lastUpdatedOn"] = "soon"
    load(register)
    assert load(register)[0] == [None]


@pytest.mark.parametrize("status", [400, 500])
def test_a_service_that_refuses_the_filter_is_read_whole_and_that_is_noted(register: Register, status: int) -> None:
    load(register)
    register.status = status
    register.change(3, NOW, "renamed")
    del register.studies[5]
    asked, notes = load(register)
    assert asked == [None]
    assert len(notes) == 1
    assert all(words in notes[0] for words in ("job 1 of north was read whole", str(status)))
    assert held(register) == names(register)
    last = "select changed_since from etl.job_run order by run_id desc limit 1"
    assert register.office.query(last) == [(None,)]


@pytest.mark.parametrize("status", [403, 503])
def test_other_refusals_are_failures(register: Register, status: int) -> None:
    load(register)
    register.status = status
    report = register.office.load("studies_staging", instances=["north"])["studies_staging"]
    assert str(status) in str(report.failure)


def test_a_service_that_does_not_heed_the_filter_gives_more_and_nothing_else(register: Register) -> None:
    register.is_since = lambda study, since: True  # type: ignore[method-assign]
    load(register)
    register.change(3, NOW, "renamed")
    load(register)
    assert held(register) == names(register)


def test_a_declaration_that_would_lose_changes_is_refused() -> None:
    with pytest.raises(ValueError, match="a clock is put back by an hour"):
        ChangedSince(stamp="lastUpdatedOn", whole_every=timedelta(days=1), overlap=timedelta(hours=1))
