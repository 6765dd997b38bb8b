"""A service's records into staging, over a real connection from the sandbox, with all that goes wrong on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.document_reader import Document
from etl_assets.errors import EtlError, ListChanged, ShrunkenLoad, TransientError
from etl_assets.loading.guards import SMALL_TABLE
from etl_assets.loading.report import LoadReport
from etl_assets.loading.rest import rejects
from etl_assets.loading.rest import unit as loading
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.loading.rest.rejects import TooManyRejected
from etl_assets.readers.rest.envelopes import EnvelopeParser
from etl_assets.readers.rest.retries import RetryPolicy
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import Service, serve
from etl_assets.settings import Settings
from etl_assets.sources.tracktik import SOURCE
from etl_assets.sources.tracktik.reader import connect_tracktik as connect_to_tenant
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

FIRST, LAST = date(2025, 12, 26), date(2026, 1, 22)
TWO_PERIODS = Span(FIRST, LAST)
NEXT_PERIOD = date(2026, 1, 9)
LATER = datetime(2026, 1, 20, 12, tzinfo=UTC)
IN_A_HURRY = RetryPolicy(
    max_attempts=3,
    initial_backoff=timedelta(milliseconds=5),
    max_backoff=timedelta(milliseconds=20),
    read_timeout=timedelta(seconds=1),
)


@dataclass
class Desk:
    """A warehouse, a service, and the loader between them."""

    settings: Settings
    service: Service

    def load(self, *tables: str, span=TWO_PERIODS, **options: bool) -> dict[str, LoadReport]:
        """Load some tables; the shifts where none is named."""
        impatient = replace(SOURCE.reader, connect=partial(connect_to_tenant, retry_policy=IN_A_HURRY))
        source = replace(SOURCE, reader=impatient)
        with open_batch(self.settings, "tracktik", "load") as batch:
            return load_by(
                RestStrategy, self.settings, source, tables or ("shifts",), span=span, batch=batch, **options
            )

    def query(self, question: str, *values: object) -> list[tuple]:
        with connect(self.settings, role=None) as connection:
            return connection.execute(question, values or None).fetchall()

    def held(self, table: str = "shifts") -> dict[int, dict]:
        """The newest document of each record that is there."""
        latest = "" if SOURCE.table(table).is_windowed else " and is_latest"
        return dict(self.query(f"select id, raw_data from tracktik_staging.{table} where deleted_at is null{latest}"))


@pytest.fixture
def company() -> Company:
    return Company(periods=2, shifts_a_day=20)


@pytest.fixture
def desk(settings: Settings, company: Company) -> Iterator[Desk]:
    with serve(company, most_per_page=100) as service:
        reached = {**service.credentials, "ETL_TRACKTIK_CALLS_PER_MINUTE": "100000"}
        yield Desk(replace(settings, given=reached), service)


def ids(company: Company, first: date = FIRST, last: date = LAST) -> set[int]:
    return {shift.id for shift in company.shifts(first, last)}


def test_every_record_of_every_list_is_kept_and_the_same_again_writes_nothing(desk: Desk, company: Company) -> None:
    tables = [table.name for table in SOURCE.tables]
    reports = desk.load(*tables)
    assert [report.failure for report in reports.values()] == [None] * len(tables)
    assert set(desk.held()) == ids(company)
    for name, path in (("employees", "employees"), ("positions", "positions"), ("overtime_rules", "overtime-rules")):
        assert set(desk.held(name)) == set(company.documents(path))

    again = desk.load(*tables)
    assert {name: report.counts.changed for name, report in again.items()} == dict.fromkeys(tables, 0)
    assert all(report.counts.rows_read > 0 for report in again.values())


def test_inactive_records_and_fields_on_demand_are_asked_for(desk: Desk, company: Company) -> None:
    company.deactivate_employee(min(company.documents("employees")), at=LATER)
    desk.load("shifts", "employees", "positions", "overtime_rules", "clients", "regions", "work_sessions")
    assert {document["status"] for document in desk.held().values()} == {"ACTIVE", "CANCELLED"}
    assert "TERMINATED" in {document["status"] for document in desk.held("employees").values()}
    assert all(document["billingSetting"]["type"] for document in desk.held("positions").values())
    assert any(document["rules"][0]["threshold"] for document in desk.held("overtime_rules").values())
    assert {"clockedHours", "approvedHours", "billRate"} <= set(next(iter(desk.held().values())))
    assert all(document["address"]["city"] for document in desk.held("clients").values())
    for table in ("clients", "regions"):
        assert all(document["name"] and document["timeZone"] for document in desk.held(table).values())
    for table in ("clients", "regions", "employees", "positions", "work_sessions"):
        assert all(document["createdOn"] and document["updatedOn"] for document in desk.held(table).values())


def test_money_keeps_the_digits_that_the_service_wrote(desk: Desk) -> None:
    desk.load("positions")
    rates = desk.query("select raw_data #>> '{billingSetting,rate}' from tracktik_staging.positions")
    assert rates
    assert all(len(rate.partition(".")[2]) == 2 for (rate,) in rates)


def test_a_shift_lies_under_the_date_of_its_site(desk: Desk) -> None:
    desk.load()
    rows = desk.query(
        "select slice, (started at time zone (raw_data ->> 'timeZone'))::date, (started at time zone 'UTC')::date"
        " from (select *, (raw_data ->> 'startDateTime')::timestamptz as started from tracktik_staging.shifts) as shift"
    )
    assert all(held == local for held, local, _ in rows)
    assert any(held != utc for held, _, utc in rows)  # an evening in the west


def test_a_clock_in_that_is_told_in_unix_time_is_kept() -> None:
    raw = b'{"id": 1, "startedOn": 1748577600}'
    page = EnvelopeParser(SOURCE.table("work_sessions")).parse_page(
        b'{"meta": {"count": 1, "offset": 0}, "data": [%s]}' % raw
    )
    assert (page.documents, page.rejected) == ([Document((1,), date(2025, 5, 30), raw)], [])


FAULTS = [
    pytest.param({"kind": "dropped"}, id="the connection is dropped"),
    pytest.param({"kind": "status", "status": 500}, id="500"),
    pytest.param({"kind": "too_many", "retry_after": 0}, id="429"),
    pytest.param({"kind": "cut_off"}, id="the body is cut off"),
    pytest.param({"kind": "not_json"}, id="the JSON breaks off"),
]


@pytest.mark.parametrize("page", [1, 3, 8])
@pytest.mark.parametrize("fault", [*FAULTS, pytest.param({"kind": "token_expired"}, id="401 in mid-run")])
def test_what_passes_is_waited_for(desk: Desk, company: Company, fault, page) -> None:
    desk.service.faults.plan(path="shifts", nth=page, times=1, **fault)
    assert desk.load()["shifts"].failure is None
    assert set(desk.held()) == ids(company)


@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_pass_leaves_nothing_half_and_a_retry_completes_it(desk: Desk, company, fault, page) -> None:
    desk.service.faults.plan(path="shifts", nth=page, times=10_000, **fault)
    report = desk.load()["shifts"]
    assert isinstance(report.failure, TransientError)
    assert desk.held() == {}
    assert desk.query("select count(*) from etl.table_load") == [(0,)]

    desk.service.faults.clear()
    assert desk.load()["shifts"].failure is None
    assert set(desk.held()) == ids(company)


def test_periods_that_were_read_before_the_service_went_down_stay(desk: Desk, company: Company) -> None:
    pages = len(desk.service.requests)
    desk.load(span=Span(FIRST, FIRST))
    pages = sum(asked.path == "shifts" for asked in desk.service.requests[pages:])
    desk.service.faults.plan("dropped", path="shifts", nth=pages + 1, times=10_000)
    assert isinstance(desk.load()["shifts"].failure, TransientError)
    assert set(desk.held()) >= ids(company, FIRST, NEXT_PERIOD - timedelta(days=1))
    assert set(desk.held()) < ids(company)


def test_nobody_listens_at_all(desk: Desk) -> None:
    desk.service.close()
    report = desk.load()["shifts"]
    assert isinstance(report.failure, TransientError)
    assert "Connection refused" in str(report.failure)


def test_readers_see_the_old_rows_until_all_have_come(desk: Desk, company: Company) -> None:
    desk.load(span=Span(FIRST, FIRST))
    before = desk.held()
    for shift in list(before)[:30]:
        company.change_shift(shift, at=LATER, break_minutes=55)
    desk.service.faults.plan("status", path="shifts", nth=2, times=10_000)
    desk.load(span=Span(FIRST, FIRST))
    assert desk.held() == before


def test_one_table_that_fails_costs_no_other(desk: Desk) -> None:
    desk.service.faults.plan("status", path="clients", times=10_000)
    reports = desk.load("regions", "clients", "employees")
    assert {name: report.failure is None for name, report in reports.items()} == {
        "regions": True,
        "clients": False,
        "employees": True,
    }
    assert desk.held("employees")


def test_a_count_that_does_not_add_up_fails_the_load(desk: Desk) -> None:
    desk.service.faults.plan("count_lies", path="shifts", times=10_000)
    report = desk.load()["shifts"]
    assert isinstance(report.failure, ListChanged)
    assert desk.held() == {}


def test_a_list_that_shifts_while_it_is_read_is_read_again(desk: Desk, company: Company) -> None:
    desk.service.faults.plan("list_shifts", path="shifts", nth=2)
    assert desk.load()["shifts"].failure is None
    assert set(desk.held()) == ids(company)


def test_a_refusal_is_not_tried_again(desk: Desk) -> None:
    desk.service.faults.plan("status", path="shifts", status=400, times=10_000)
    failure = desk.load()["shifts"].failure
    assert isinstance(failure, EtlError)
    assert not isinstance(failure, TransientError)
    assert sum(asked.path == "shifts" for asked in desk.service.requests) == 1


def test_a_correction_that_comes_late_is_seen_and_told_with_its_date(desk: Desk, company: Company) -> None:
    desk.load()
    vacant = next(shift.id for shift in company.shifts(FIRST, FIRST) if shift.employee is None)
    company.change_shift(vacant, at=LATER, break_minutes=45)
    counts = desk.load()["shifts"].counts
    assert (counts.rows_inserted, counts.rows_updated, counts.rows_deleted) == (0, 1, 0)
    assert desk.held()[vacant]["breakInMinutes"] == 45
    assert desk.query("select slices_changed from etl.table_load where rows_updated > 0") == [([FIRST],)]


def test_a_shift_that_moves_to_another_period_is_held_once(desk: Desk, company: Company) -> None:
    desk.load()
    shift = next(shift.id for shift in company.shifts(FIRST, FIRST) if shift.employee is None)
    company.move_shift(shift, 15, at=LATER)
    counts = desk.load(span=Span(FIRST, FIRST))["shifts"].counts  # the period that it left
    assert (counts.rows_updated, counts.rows_deleted) == (1, 0)
    held = desk.query("select slice, vanished_at, deleted_at from tracktik_staging.shifts where id = %s", shift)
    assert held == [(FIRST + timedelta(days=15), None, None)]
    assert desk.query("select slices_changed from etl.table_load where rows_updated > 0") == [
        ([FIRST, FIRST + timedelta(days=15)],)
    ]


def test_only_a_404_is_a_deletion(desk: Desk, company: Company) -> None:
    desk.load("shifts", "employees")
    shift = company.shifts(FIRST, FIRST)[0].id
    company.delete_shift(shift, at=LATER)
    gone = max(company.documents("employees"))
    company.delete("employees", gone)
    reports = desk.load("shifts", "employees")
    assert [reports[name].counts.rows_deleted for name in ("shifts", "employees")] == [1, 1]
    assert shift not in desk.held()
    assert desk.query("select deleted_at is not null from tracktik_staging.shifts where id = %s", shift) == [(True,)]
    assert desk.query("select deleted_at is not null from tracktik_staging.employees where id = %s", gone) == [(True,)]
    assert desk.load("shifts", "employees")["shifts"].counts.changed == 0


def test_who_is_let_go_is_another_version_and_no_deletion(desk: Desk, company: Company) -> None:
    desk.load("employees")
    someone = min(desk.held("employees"))
    company.deactivate_employee(someone, at=LATER)
    counts = desk.load("employees")["employees"].counts
    assert (counts.rows_updated, counts.rows_deleted) == (1, 0)
    versions = (
        "select raw_data ->> 'status', is_latest from tracktik_staging.employees where id = %s order by loaded_at"
    )
    assert desk.query(versions, someone) == [("ACTIVE", False), ("TERMINATED", True)]


def test_a_list_that_shrinks_too_much_is_not_believed(desk: Desk, company: Company) -> None:
    desk.load("employees")
    everybody = list(company.documents("employees"))
    assert len(everybody) > SMALL_TABLE
    for someone in everybody[: len(everybody) // 3]:
        company.delete("employees", someone)
    failure = desk.load("employees")["employees"].failure
    assert isinstance(failure, ShrunkenLoad)
    assert "etl run tracktik employees --accept-shrink" in str(failure)
    assert len(desk.held("employees")) == len(everybody)

    assert desk.load("employees", accept_shrink=True)["employees"].counts.rows_deleted == len(everybody) // 3


def test_what_is_not_set_up_is_named_and_nothing_is_said_of_what_is(desk: Desk) -> None:
    given = {name: value for name, value in desk.settings.given.items() if name != "ETL_TRACKTIK_PASSWORD"}
    with pytest.raises(EtlError, match="not set is ETL_TRACKTIK_PASSWORD") as told:
        Desk(replace(desk.settings, given=given), desk.service).load()
    assert given["ETL_TRACKTIK_CLIENT_SECRET"] not in str(told.value)


def test_a_wrong_password_is_told_without_it(desk: Desk) -> None:
    given = {**desk.settings.given, "ETL_TRACKTIK_PASSWORD": "open-sesame"}
    failure = Desk(replace(desk.settings, given=given), desk.service).load()["shifts"].failure
    assert failure is not None
    assert "ETL_TRACKTIK" in str(failure)
    assert "open-sesame" not in str(failure)


def test_regions_that_the_tenant_does_not_know_are_refused_and_not_dropped(desk: Desk, company: Company) -> None:
    known = company.documents("employees")[min(company.documents("employees"))]["region"]
    for regions in (f"{known},999999", "999999"):
        given = {**desk.settings.given, "ETL_TRACKTIK_REGIONS": regions}
        with pytest.raises(EtlError, match="names 999999, which the user may not see"):
            Desk(replace(desk.settings, given=given), desk.service).load("employees")
    given = {**desk.settings.given, "ETL_TRACKTIK_REGIONS": str(known)}
    some = Desk(replace(desk.settings, given=given), desk.service)
    some.load("employees")
    assert {document["region"] for document in some.held("employees").values()} == {known}


def test_every_row_names_the_batch_that_wrote_it(desk: Desk) -> None:
    desk.load("shifts", "regions")
    for table in ("shifts", "regions"):
        written = desk.query(f"select distinct etl_batch_id from tracktik_staging.{table}")
        assert written == desk.query("select batch_id from etl.batch where kind = 'load'")
        assert isinstance(written[0][0], UUID)


def test_a_day_beside_the_period_does_not_pass_for_a_period(desk: Desk, company: Company) -> None:
    """The pad is asked for to find what moved; of shifts that are not held, a day would look like all of a period."""
    desk.load("shifts", "work_sessions", span=Span(NEXT_PERIOD, NEXT_PERIOD))
    assert set(desk.held()) == ids(company, NEXT_PERIOD, LAST)
    assert min(desk.query("select slice from tracktik_staging.work_sessions"))[0] < NEXT_PERIOD
    assert desk.query(
        "select min(day) from etl.table_load, unnest(slices_changed) as day where relation like '%shifts'"
    ) == [(NEXT_PERIOD,)]


def test_more_deletions_than_are_asked_for_at_once_are_found_load_by_load(desk: Desk, company, monkeypatch) -> None:
    monkeypatch.setattr(loading, "MAX_LOOKUPS", 5)
    desk.load()
    for shift in company.shifts(FIRST, FIRST)[:8]:
        company.delete_shift(shift.id, at=LATER)
    first = desk.load()["shifts"]
    assert (first.counts.rows_deleted, "3 records are missing" in " ".join(first.notes)) == (5, True)
    assert first.counts.rows_vanished == 3
    assert desk.query("select count(*) from tracktik_staging.shifts where vanished_at is not null") == [(3,)]
    assert desk.load()["shifts"].counts.rows_deleted == 3
    assert set(desk.held()) == ids(company)


def test_a_record_that_cannot_be_kept_costs_no_other_and_is_told_until_it_is_mended(desk: Desk, company) -> None:
    desk.load("employees")
    bad, good = sorted(company.documents("employees"))[:2]
    rejects = "select line_number, status from etl.rejected_row"
    for times in (1, 2):  # mended, it may break again
        company.change_employee(bad, at=LATER, lastName="No\x00body")
        company.change_employee(good, at=LATER, lastName=f"Example{times}")
        report = desk.load("employees")["employees"]
        assert (report.failure, report.counts.rows_updated, report.counts.rows_rejected) == (None, 1, 1)
        assert desk.query(rejects) == [(bad, "new")]
        assert desk.held("employees")[bad]["lastName"] != "Nobody"
        company.change_employee(bad, at=LATER, lastName=f"Mended{times}")
        desk.load("employees")
        assert desk.query(rejects) == [(bad, "superseded")]


@pytest.mark.parametrize("kept", [5, 1_000])
def test_a_list_of_which_nothing_can_be_kept_is_refused_and_told(desk, company: Company, monkeypatch, kept) -> None:
    monkeypatch.setattr(rejects, "KEPT_REJECTS", kept)
    everybody = list(company.documents("employees"))
    assert len(everybody) > SMALL_TABLE
    for someone in everybody:
        company.change_employee(someone, at=LATER, lastName="\x00")
    failure = desk.load("employees")["employees"].failure
    assert isinstance(failure, TooManyRejected)
    assert f"{len(everybody)} of {len(everybody)} records cannot be kept" in str(failure)
    assert "\x00" not in str(failure)
    assert desk.held("employees") == {}
    assert desk.query("select count(*) from etl.rejected_row where status = 'new'") == [(min(kept, len(everybody)),)]


def test_a_table_that_may_not_be_written_costs_no_other_and_shows_no_values(desk: Desk) -> None:
    desk.load("regions")
    with connect(desk.settings, role=None) as connection:
        connection.execute("alter table tracktik_staging.clients add check (id < 0)")
    reports = desk.load("clients", "employees")
    assert "violates check constraint" in str(reports["clients"].failure)
    assert "Failing row" not in str(reports["clients"].failure)
    assert reports["employees"].failure is None


def test_one_table_alone_makes_those_that_its_rules_look_at(desk: Desk) -> None:
    with connect(desk.settings, role=None) as connection:
        connection.execute("drop table tracktik_staging.positions, tracktik_staging.employees")
    desk.load("shifts")
    assert desk.query("select count(*) from tracktik_staging.positions, tracktik_staging.employees") == [(0,)]


def test_the_shrunken_period_is_in_the_command_that_is_suggested(desk: Desk, company: Company) -> None:
    desk.load()
    for shift in company.shifts(FIRST, NEXT_PERIOD - timedelta(days=1)):
        company.delete_shift(shift.id, at=LATER)
    failure = str(desk.load()["shifts"].failure)
    assert f"etl run tracktik shifts --from {FIRST} --to {NEXT_PERIOD - timedelta(days=1)} --accept-shrink" in failure


def test_nobody_waits_for_a_list_while_it_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load("regions")
    free, stage = [], loading.documents.copy_documents_into_staging

    def staged(*arguments):
        lock = "select pg_try_advisory_xact_lock(hashtextextended('etl load tracktik_staging.regions', 0))"
        free.extend(desk.query(lock))
        return stage(*arguments)

    monkeypatch.setattr(loading.documents, "copy_documents_into_staging", staged)
    assert desk.load("regions")["regions"].failure is None
    assert set(free) == {(True,)}


def test_a_list_that_another_run_has_loaded_meanwhile_is_read_again(desk: Desk, monkeypatch) -> None:
    desk.load("regions")
    reads, extract = [], loading.DocumentUnit.extract

    def extracted(self, session) -> bool:
        found = extract(self, session)
        reads.append(self.table)
        if len(reads) == 1:
            assert desk.load("regions")["regions"].failure is None
        return found

    monkeypatch.setattr(loading.DocumentUnit, "extract", extracted)
    report = desk.load("regions")["regions"]
    assert report.failure is None
    assert len(reads) == 3  # this run's, the other's, and this one's once more
    assert report.counts.changed == 0
