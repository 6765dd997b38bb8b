"""A REST source declared in a few lines, with every envelope and paging, two instances and a nested table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.endpoints import (
    Bare,
    Each,
    Endpoint,
    NextLink,
    OData,
    ODataList,
    Offset,
    OnePage,
    Records,
    Single,
    Values,
)  # fmt: skip
from etl_assets.declare.rest import RestTable, Window, fields
from etl_assets.declare.service import Service
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Field, Full
from etl_assets.errors import TransientError
from etl_assets.loading.report import LoadReport
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.loading.rest.observed_drift import check_observed
from etl_assets.readers.rest.auth import ApiKey
from etl_assets.readers.rest.client import HttpClient, RetryPolicy
from etl_assets.readers.rest.reader import RestReader
from etl_assets.readers.rest.records import REPEATED
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.rest.toy_service import Register, content, serving
from etl_assets_tests.loading.runs import load_by

MARCH = Span(date(2026, 3, 1), date(2026, 3, 3))
IMPATIENT = RetryPolicy(max_attempts=2, initial_backoff=timedelta(0), max_backoff=timedelta(0))


def connect_trials(given):
    client = HttpClient(given["url"], auth=ApiKey("X-Api-Key", given["key"]), retry_policy=IMPATIENT)
    return RestReader(client, connections=3)


PAGES = Endpoint(
    path="studies",
    envelope=Records(at="Items"),
    paging=NextLink(at="NextPageLink", count="Count"),
    lookup=Single(),
)
LIST = Endpoint(path="sites", envelope=Bare(), paging=OnePage())
TABLES = (
    RestTable(name="studies", key="id", load=Full(), endpoint=PAGES, fields=fields(text="id")),
    RestTable(name="sites", key="id", load=Full(), endpoint=LIST),
    RestTable(
        name="details", key="uid", load=Full(), endpoint=replace(LIST, path="details", envelope=Single()),
        fields=fields(text="uid"),
    ),
    RestTable(
        name="lookups", key="code", load=Full(), endpoint=replace(LIST, path="lookups", envelope=Values(field="code")),
        fields=fields(text="code"),
    ),
    RestTable(
        name="visits",
        key="id",
        load=Window(slice_by="at", pad=timedelta(0)),
        endpoint=Endpoint(
            path="visits", envelope=Records(at="value"), window="on", window_format="{first}",
            paging=NextLink(at="@odata.nextLink", count="@odata.count"), longest=timedelta(days=1),
        ),
        fields=fields(uuid="id"),
    ),
    RestTable(
        name="staff",
        key="id",
        load=Full(),
        endpoint=Endpoint(
            path="staff", envelope=Records(at="data"), lookup=Single(),
            paging=Offset(limit="take", offset="skip", size=100, count="meta.count"),
        ),
        fields=fields(bigint="Id"),
    ),
    RestTable(
        name="arms",
        key=("study", "code"),
        load=Full(),
        endpoint=replace(LIST, path="studies/{studies.id}/arms", per=Each("studies", gives={"study": "id"})),
        fields=fields(text="study code"),
    ),
    RestTable(
        name="elements",
        key="id",
        load=Full(),
        endpoint=Endpoint(path="elements", envelope=ODataList(), paging=OData(order_by=("Id",))),
        fields=fields(bigint="Id"),
    ),
    RestTable(
        name="warnings",
        key=("study", "content"),
        load=Full(),
        endpoint=replace(LIST, path="studies/{studies.id}/warnings", per=Each("studies", gives={"study": "id"})),
        fields=(*fields(text="study"), Field(name="content", type="uuid", path="")),
    ),
    RestTable(
        name="topology",
        key="record",
        load=Full(),
        endpoint=replace(LIST, path="topology", envelope=Single(), constants={"record": 1}),
    ),
)  # fmt: skip
SOURCE = Source(
    name="trials",
    title="Clinical trials",
    schema="trials_raw",
    reader=Service(
        connect=connect_trials, required_settings=("url", "key"), cron="15 * * * *", sweep_cron="0 3 * * 0",
        start=date(2026, 1, 1), instances=True,
    ),
    tables=TABLES,
    rules=(),
    owner="team:trials",
    fresh_within=timedelta(hours=3),
)  # fmt: skip


@dataclass
class Desk:
    """A warehouse, the two tenants, and the loader between them."""

    settings: Settings
    register: Register

    def load(self, *tables: str, **options: bool) -> dict[str, LoadReport]:
        names = tables or [table.name for table in TABLES]
        with open_batch(self.settings, SOURCE.name, "load") as batch:
            return load_by(RestStrategy, self.settings, SOURCE, names, span=MARCH, batch=batch, **options)

    def query(self, question: str) -> list[tuple]:
        with connect(self.settings, role=None) as connection:
            return connection.execute(question).fetchall()

    def held(self, table: str) -> list[tuple[str, str]]:
        """Instance and document of each record that is there."""
        current = f"{SOURCE.rest_table(table).current_rows} and vanished_at is null"
        rows = self.query(f"select instance, raw_data from trials_raw.{table} where {current}")
        return sorted((instance, content(document)) for instance, document in rows)

    def expected(self, table: str) -> list[tuple[str, str]]:
        """The same as the tenants have it."""
        return sorted(
            (tenant, content({"code": record} if table == "lookups" else record))
            for tenant, lists in self.register.tenants.items()
            for path, records in lists.items()
            if path.rpartition("/")[2] == table
            for record in records
        )


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    register = Register()
    with serving(register) as server, connect(settings, role=None) as connection:
        connection.execute("create schema trials_raw authorization etl_loader")
        connection.commit()
        given = {"ETL_TRIALS_INSTANCES": "north,south"}
        for name in ("north", "south"):
            given[f"ETL_TRIALS_{name.upper()}_URL"] = server.url
            given[f"ETL_TRIALS_{name.upper()}_KEY"] = f"key-of-the-{name}"
        yield Desk(replace(settings, given=given), register)


def failures(reports: dict[str, LoadReport]) -> dict[str, str]:
    return {name: str(report.failure) for name, report in reports.items() if report.failure}


def test_every_shape_arrives_whole_and_the_second_time_nothing_is_written(desk: Desk) -> None:
    reports = desk.load()
    assert failures(reports) == {}
    for table in reports:
        assert desk.held(table) == desk.expected(table), table
        assert reports[table].counts.rows_inserted == len(desk.expected(table)) > 0
    again = desk.load()
    assert failures(again) == {}
    assert {name: report.counts.changed for name, report in again.items()} == dict.fromkeys(reports, 0)
    assert desk.query("select count(*) from trials_raw.arms where code in ('A', 'B')") == [(20,)]
    assert desk.query("select distinct pg_typeof(id)::text from trials_raw.visits") == [("uuid",)]
    assert ("north", "0001e5") in desk.query("select instance, id from trials_raw.studies")


@pytest.mark.parametrize("requests", [1, 4, 9, 20])
def test_a_load_that_breaks_off_leaves_nothing_half_and_the_next_one_completes_it(desk: Desk, requests) -> None:
    desk.register.break_after = requests
    assert failures(desk.load())
    for table in TABLES:
        for instance in ("north", "south"):
            held = [document for name, document in desk.held(table.name) if name == instance]
            whole = [document for name, document in desk.expected(table.name) if name == instance]
            by_window = table.is_windowed or not held
            assert held == whole or by_window, f"{table.name} of {instance} is half"
    desk.register.break_after = None
    assert failures(desk.load()) == {}
    for table in TABLES:
        assert desk.held(table.name) == desk.expected(table.name)


def test_what_changed_and_what_was_deleted_is_found_in_each_instance_by_itself(desk: Desk) -> None:
    desk.load()
    north = desk.register.tenants["north"]
    north["staff"].pop(3)
    north["studies"][0]["name"] = "renamed"
    north["lookups"].remove("a/b")
    north["studies/0001e5/arms"].append({"code": "C"})
    reports = desk.load(accept_shrink=True)
    assert failures(reports) == {}
    for table in reports:
        assert desk.held(table) == desk.expected(table), table
    assert desk.query("select instance, id from trials_raw.staff where deleted_at is not null") == [("north", 3)]
    vanished = "select instance, code from trials_raw.lookups where vanished_at is not null"
    assert desk.query(vanished) == [("north", "a/b")]
    assert "no address of their own" in " ".join(reports["lookups"].notes)
    assert desk.query("select instance, code from trials_raw.arms where code = 'C'") == [("north", "C")]


def test_lists_and_windows_alike_tell_what_their_records_hold_that_they_did_not(desk: Desk) -> None:
    desk.load()
    with open_batch(desk.settings, SOURCE.name, "check") as batch:
        assert check_observed(batch, SOURCE) == (len(TABLES), [])
    north = desk.register.tenants["north"]
    north["visits"][0]["room"] = "12"
    for site in north["sites"]:
        del site["name"]
    assert failures(desk.load()) == {}
    with open_batch(desk.settings, SOURCE.name, "check") as batch:
        _, lines = check_observed(batch, SOURCE)
    assert [line.partition(" since ")[0] for line in sorted(lines)] == [
        "trials_raw.sites: north: name is no longer filled",
        "trials_raw.visits: north: room is new",
    ]


def test_an_instance_that_is_down_costs_the_other_nothing(desk: Desk) -> None:
    desk.load("sites")
    desk.register.down = {"north"}
    for lists in desk.register.tenants.values():
        lists["sites"].append({"id": 9, "name": "new"})
    report = desk.load("sites")["sites"]
    assert isinstance(report.failure, TransientError)
    assert report.counts.rows_inserted == 1
    assert [instance for instance, document in desk.held("sites") if "new" in document] == ["south"]
    loads = "select instance, count(*) from etl.table_load where relation = 'trials_raw.sites' group by 1 order by 1"
    assert desk.query(loads) == [("north", 1), ("south", 2)]
    assert len(desk.query("select from etl.watermark where relation = 'trials_raw.sites'")) == 2


def test_a_record_that_cannot_be_kept_is_in_quarantine_under_its_own_key(desk: Desk) -> None:
    desk.load("studies")
    desk.register.tenants["south"]["studies"][1]["name"] = "\ud800"
    desk.register.tenants["north"]["sites"].append({"name": "nobody"})
    reports = desk.load("studies", "sites")
    assert failures(reports) == {}
    assert [report.counts.rows_rejected for report in reports.values()] == [1, 1]
    rejects = "select relation, record_key, status from etl.rejected_row order by 1"
    assert desk.query(rejects) == [
        ("trials_raw.sites", "north|", "new"),
        ("trials_raw.studies", "south|0001e5", "new"),
    ]
    desk.register.tenants["south"]["studies"][1]["name"] = "mended"
    desk.load("studies")
    assert ("trials_raw.studies", "south|0001e5", "superseded") in desk.query(rejects)


def test_what_a_gateway_does_not_find_is_marked_vanished_until_the_service_itself_says_so(desk: Desk) -> None:
    desk.load("staff")
    desk.register.tenants["north"]["staff"].pop(3)
    desk.register.behind_gateway = True
    states = "select id, vanished_at is not null, deleted_at is not null from trials_raw.staff where vanished_at"
    states += " is not null or deleted_at is not null"
    for newly_marked in (1, 0):
        report = desk.load("staff", accept_shrink=True)["staff"]
        assert report.failure is None
        assert (report.counts.rows_deleted, report.counts.rows_vanished) == (0, newly_marked)
        assert "1 records are missing from the list, and not the service but a gateway" in " ".join(report.notes)
        assert desk.query(states) == [(3, True, False)]
    desk.register.behind_gateway = False
    report = desk.load("staff", accept_shrink=True)["staff"]
    assert (report.counts.rows_deleted, report.notes) == (1, [])
    assert desk.query(states) == [(3, False, True)]


def test_a_record_that_is_looked_up_and_cannot_be_kept_costs_no_other(desk: Desk) -> None:
    desk.load("staff")
    north = desk.register.tenants["north"]["staff"]
    desk.register.looked_up["north"] = [{**north.pop(3), "name": "\0"}]
    north[0]["name"] = "renamed"
    report = desk.load("staff", accept_shrink=True)["staff"]
    assert report.failure is None
    assert (report.counts.rows_updated, report.counts.rows_deleted, report.counts.rows_rejected) == (1, 0, 1)
    assert desk.query("select record_key, status from etl.rejected_row") == [("north|3", "new")]
    assert desk.held("staff")[3] == ("north", content({"Id": 3, "name": "north 3"}))


def test_a_list_that_always_repeats_an_id_is_loaded_and_its_copies_are_told_once(desk: Desk) -> None:
    staff = desk.register.tenants["south"]["staff"]
    staff.insert(5, {"Id": 1, "name": "the same in another region"})
    rejects = "select record_key, reason, status from etl.rejected_row"
    for _ in range(2):
        report = desk.load("staff")["staff"]
        assert report.failure is None
        assert report.counts.rows_rejected == 1
        assert [document for name, document in desk.held("staff") if name == "south"] == sorted(
            content(each) for each in staff[:5] + staff[6:]
        )
        assert desk.query(rejects) == [("south|1", REPEATED, "new")]
    staff.pop(5)
    assert desk.load("staff")["staff"].counts.rows_rejected == 0
    assert desk.query(rejects) == [("south|1", REPEATED, "superseded")]
