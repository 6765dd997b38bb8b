"""GoHighLevel: contacts and custom fields from the stand-in into the tables that TrialSync's readers know."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from etl_assets.cli.runs import migrate_quietly
from etl_assets.declare.dates import Span
from etl_assets.declare.endpoints import Job, SearchAfter
from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.report import LoadReport
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.quality.run import WITHHELD, run_rule
from etl_assets.sandbox.gohighlevel.contacts import CUSTOM_FIELDS, Location
from etl_assets.sandbox.gohighlevel.service import MOST, Service
from etl_assets.settings import PROJECT, Settings
from etl_assets.sources import SOURCES
from etl_assets.sources.gohighlevel import SOURCE, reader
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.rest.job_tables import create_job_tables
from etl_assets_tests.loading.runs import load_by
from etl_assets_tests.readers.rest.services import QUICK

CONTACTS, FIELDS = "ghl_contacts_staging", "ghl_custom_fields_staging"
MANY = 123
"""Three pages, and three contacts that were added with some of the page before."""
TODAY = Span(date(2026, 3, 1), date(2026, 3, 1))
PAGE = 50


def in_small_pages(job: Job) -> Job:
    """As it is declared, but for the page size."""
    paging = job.endpoint.paging
    small = replace(paging, size=PAGE) if isinstance(paging, SearchAfter) else paging
    return replace(job, endpoint=replace(job.endpoint, paging=small))


QUICK_SOURCE = replace(
    SOURCE,
    reader=replace(SOURCE.reader, connect=partial(reader.connect_gohighlevel, retry_policy=QUICK)),
    tables=[replace(table, jobs=[in_small_pages(job) for job in table.jobs]) for table in SOURCE.tables],
)
PEOPLE = ("firstNameLowerCase", "lastNameLowerCase", "email", "phone", "address", "dateOfBirth")


@dataclass(frozen=True)
class Installation:
    """A warehouse, and the locations that it loads."""

    settings: Settings
    services: Mapping[str, Service]

    @property
    def service(self) -> Service:
        return self.services["main"]

    def load(self, **options: Any) -> dict[str, LoadReport]:
        with open_batch(self.settings, SOURCE.name, "load") as batch:
            tables = [table.name for table in SOURCE.tables]
            return load_by(RestStrategy, self.settings, QUICK_SOURCE, tables, span=TODAY, batch=batch, **options)

    def query(self, question: str, role: str | None = None) -> list[tuple[Any, ...]]:
        with connect(self.settings, role=role) as connection:
            return connection.execute(question).fetchall()

    def rows(self) -> list[tuple[Any, ...]]:
        """All that is held of contacts, but for who wrote it and when."""
        return self.query(
            "select source_id, source_instance_id, entity_id, data, etl_job_id, vanished_at is null"
            f" from trialsync_staging.{CONTACTS} order by 2, 3"
        )


@contextmanager
def serving(settings: Settings, **locations: Location) -> Iterator[Installation]:
    services = {name: Service(location) for name, location in locations.items()}
    try:
        given: dict[str, str] = {}
        for name, service in services.items():
            given |= service.settings(name)
        given["ETL_GOHIGHLEVEL_INSTANCES"] = ",".join(services)
        yield Installation(replace(settings, given={**settings.given, **given}), services)
    finally:
        for service in services.values():
            service.close()


@pytest.fixture
def installation(module_settings: Settings) -> Iterator[Installation]:
    """A location of `MANY` contacts; nothing was loaded of it yet."""
    with connect(module_settings, role=None) as connection:
        connection.execute(
            f"truncate trialsync_staging.{CONTACTS}, trialsync_staging.{FIELDS}, etl.source_instance cascade"
        )
    with serving(module_settings, main=Location(contacts=MANY)) as found:
        yield found


def failures(reports: Mapping[str, LoadReport]) -> dict[str, str]:
    return {name: str(report.failure) for name, report in reports.items() if report.failure}


def test_contacts_and_custom_fields_arrive_whole_and_the_second_time_nothing_is_written(
    installation: Installation,
) -> None:
    reports = installation.load()
    assert failures(reports) == {}
    assert {name: report.counts.rows_inserted for name, report in reports.items()} == {
        CONTACTS: MANY,
        FIELDS: CUSTOM_FIELDS,
    }
    location = installation.service.location
    assert {key: data for _, _, key, data, _, _ in installation.rows()} == {
        location.contact_id(number): location.contact(number) for number in range(1, MANY + 1)
    }
    ((instance, name),) = installation.query("select instance_id, name from etl.source_instance")
    assert name == "main"
    assert {row[:2] + row[4:] for row in installation.rows()} == {(str(instance), instance, 196, True)}
    assert installation.service.requests == {
        "contacts/search": 3,
        f"locations/{location.id}/customFields": 2,  # the first one to see whether the token is good
    }
    again = installation.load()
    assert failures(again) == {}
    assert sum(report.counts.changed for report in again.values()) == 0
    assert again[CONTACTS].counts.rows_unchanged == MANY


def test_what_changed_is_written_and_what_is_gone_is_marked_and_comes_back(installation: Installation) -> None:
    installation.load()
    location = installation.service.location
    location.revised |= {7}
    location.removed |= {50, 51, MANY}
    location.contacts += 1
    counts = installation.load()[CONTACTS].counts
    assert (counts.rows_inserted, counts.rows_updated, counts.rows_vanished) == (1, 1, 3)
    gone = {key for _, _, key, _, _, is_there in installation.rows() if not is_there}
    assert gone == {location.contact_id(number) for number in (50, 51, MANY)}
    location.removed.clear()
    counts = installation.load()[CONTACTS].counts
    assert (counts.rows_inserted, counts.rows_updated, counts.rows_vanished) == (0, 3, 0)
    assert all(row[-1] for row in installation.rows())


def test_two_locations_with_the_same_ids_keep_apart_and_one_that_is_down_costs_the_other_nothing(
    settings: Settings,
) -> None:
    with serving(settings, main=Location(contacts=20), other=Location(contacts=30)) as installation:
        installation.services["other"].faults.plan("status", times=10**6, status=401)
        failed = failures(installation.load())
        assert {"401 Unauthorized" in text for text in failed.values()} == {True}
        assert len(installation.rows()) == 20
        installation.services["other"].faults.clear()
        assert failures(installation.load()) == {}
        assert [instance for _, instance, *_ in installation.rows()].count(installation.rows()[0][1]) == 20
        assert len(installation.rows()) == 50


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param({"kind": "count_lies", "by": 2}, "122 records came, and the last page counts 124", id="count"),
        pytest.param(
            {"kind": "count_lies", "by": -3},
            "122 records came, and the last page counts 119",
            id="a count that stops short",
        ),
        pytest.param({"kind": "ignores_place"}, "gives the same page again", id="a place that is ignored"),
        pytest.param(
            {"kind": "stays_behind", "by": 3, "nth": 2},
            "128 records came, and the last page counts 122",
            id="records twice",
        ),
        pytest.param({"kind": "misorders"}, "150 records came, and the last page counts 122", id="pages in no order"),
        pytest.param({"kind": "places_missing"}, "has no searchAfter", id="no place"),
        pytest.param({"kind": "status", "status": 500, "nth": 3}, "500 Internal Server Error", id="an error, page 3"),
        pytest.param(
            {"kind": "cut_off", "nth": 2}, "POST contacts/search: given up after 4 tries", id="a page that breaks off"
        ),
    ],
)
def test_a_list_that_cannot_be_whole_changes_nothing_and_the_next_load_begins_again(
    installation: Installation, fault: dict[str, Any], told: str
) -> None:
    installation.load()
    before = installation.rows()
    installation.service.location.removed |= {1}
    installation.service.location.revised |= {90}
    installation.service.faults.plan(path="contacts/search", times=10**6, **fault)
    failed = failures(installation.load())
    assert set(failed) == {CONTACTS}
    assert told in failed[CONTACTS]
    assert installation.rows() == before
    assert installation.query("select state from etl.job_run where job_id = 196 order by run_id") == [
        ("success",), ("failed",),
    ]  # fmt: skip
    installation.service.faults.clear()
    assert failures(installation.load(only_failed=True)) == {}
    assert sum(not row[-1] for row in installation.rows()) == 1


def test_an_instance_that_lost_most_of_its_contacts_is_not_believed(installation: Installation) -> None:
    installation.load()
    installation.service.location.contacts = 60
    assert "under the floor of 50%" in failures(installation.load())[CONTACTS]
    assert all(row[-1] for row in installation.rows())
    assert failures(installation.load(accept_shrink=True)) == {}


def test_smaller_pages_than_asked_for_are_read_to_the_end(installation: Installation) -> None:
    installation.service.faults.plan("caps", path="contacts/search", times=10**6, by=40)
    assert failures(installation.load()) == {}
    assert len(installation.rows()) == MANY


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        pytest.param("TOKEN", "pit-of-somebody-else", "401 Unauthorized: {", id="a token that is not good"),
        pytest.param("LOCATION_ID", "anotherLocation00000", "does not have access to this location", id="not ours"),
    ],
)
def test_a_token_that_is_refused_is_named_by_its_setting_and_never_shown(
    installation: Installation, setting: str, value: str, told: str
) -> None:
    given = {**installation.settings.given, f"ETL_GOHIGHLEVEL_MAIN_{setting}": value}
    failed = failures(replace(installation, settings=replace(installation.settings, given=given)).load())
    assert set(failed) == {CONTACTS, FIELDS}
    for text in failed.values():
        assert told in text
        assert "ETL_GOHIGHLEVEL_<INSTANCE>_TOKEN must be a private integration token" in text
        assert installation.service.token not in text
        assert "pit-of" not in text
    assert installation.service.requests["contacts/search"] == 0


def test_no_more_calls_go_out_than_are_allowed(module_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (100, timedelta(seconds=10)) == (reader.BURST_CALLS, reader.BURST)
    monkeypatch.setattr(reader, "BURST_CALLS", 4)
    monkeypatch.setattr(reader, "BURST", timedelta(seconds=0.5))
    with serving(module_settings, main=Location(contacts=200)) as installation:
        installation.service.faults.plan("caps", path="contacts/search", times=10**6, by=20)
        begun = time.monotonic()
        assert failures(installation.load()) == {}
        assert installation.service.statuses[200] == 2 + 10
        assert time.monotonic() - begun >= 2 * 0.5


def test_a_service_that_has_had_enough_is_left_alone_for_its_interval(installation: Installation) -> None:
    """Somebody else may use the location, too: 429 comes, and says how long its interval is and not when it ends."""
    with Service(Location(contacts=100), burst_calls=3, burst_seconds=0.5) as main:
        given = {**installation.settings.given, **main.settings()}
        crowded = Installation(replace(installation.settings, given=given), {"main": main})
        main.faults.plan("caps", path="contacts/search", times=10**6, by=20)
        main.faults.plan("too_many", path="contacts/search", nth=2)
        begun = time.monotonic()
        assert failures(crowded.load()) == {}
        assert (main.statuses[200], main.statuses[429]) == (2 + 5, 1)
        assert len(crowded.rows()) == 100
        assert time.monotonic() - begun >= 2 * 0.5


def test_a_day_that_is_spent_fails_at_once_as_what_may_succeed_later(installation: Installation) -> None:
    installation.load()
    installation.service.faults.plan("day_is_spent", path="contacts/search", nth=2)
    report = installation.load()[CONTACTS]
    assert isinstance(report.failure, TransientError)
    assert installation.service.requests["contacts/search"] == 3 + 2
    assert all(row[-1] for row in installation.rows())


def test_a_slow_answer_is_asked_for_again(installation: Installation) -> None:
    installation.service.faults.plan("hangs", path="contacts/search", seconds=3.0)
    assert failures(installation.load()) == {}
    assert installation.service.requests["contacts/search"] == 3 + 1


def test_contacts_are_for_those_who_may_read_of_people_and_custom_fields_for_all(installation: Installation) -> None:
    installation.load()
    for role in ("etl_reader", "etl_personal_reader"):
        assert installation.query(f"select count(*) from trialsync_staging.{FIELDS}", role) == [(CUSTOM_FIELDS,)]
    assert installation.query(f"select count(*) from trialsync_staging.{CONTACTS}", "etl_personal_reader") == [(MANY,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        installation.query(f"select id from trialsync_staging.{CONTACTS}", "etl_reader")


def test_nothing_of_a_contact_is_in_logs_ledger_or_findings(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    location = installation.service.location
    contact = location.contact(3)
    values = {str(contact[name]).casefold() for name in PEOPLE} | {contact["customFields"][0]["value"].casefold()}
    assert len(values) == len(PEOPLE) + 1
    installation.service.faults.plan("not_json", path="contacts/search", times=10**6)
    installation.load()
    installation.service.faults.clear()
    installation.service.faults.plan("stays_behind", path="contacts/search", times=10**6, by=3)
    installation.service.faults.plan("count_lies", path="contacts/search", times=10**6, by=6)
    assert installation.load()[CONTACTS].counts.rows_rejected == 6, "the same ones twice, at each reading"
    with connect(installation.settings, autocommit=True) as connection:
        connection.execute(
            f"update trialsync_staging.{CONTACTS} set data = data - 'dateAdded' where entity_id = %s", [contact["id"]]
        )
        with open_batch(installation.settings, SOURCE.name, "check") as batch:
            results = [run_rule(connection, batch, SOURCE, rule, None) for rule in SOURCE.rules]
        assert [result.rows_broken for result in results] == [1, 0]
        (shown,) = connection.execute("select distinct value from etl.quality_issue").fetchall()
        assert shown == (WITHHELD,)
        relations = connection.execute(
            "select format('etl.%I', relname) from pg_class where relnamespace = 'etl'::regnamespace"
            " and relkind in ('r', 'p') and relname <> 'unreadable_answer'"
        ).fetchall()
        held = [
            connection.execute(f"select to_jsonb(held)::text from {name} as held").fetchall() for (name,) in relations
        ]
    texts = [text.casefold() for rows in held for (text,) in rows] + [line.casefold() for line in caplog.messages]
    assert any("contacts/search" in text for text in texts), "else nothing was looked at"
    assert any("locationid" in text for text in texts), "else no rejected contact was"
    assert [text for text in texts for value in values if value in text] == []
    assert [text for text in texts if installation.service.token in text] == []


def test_a_location_that_nobody_has_set_up_is_asked_nothing_and_its_tables_say_why(settings: Settings) -> None:
    assert SOURCE.missing_settings({}) == ["ETL_GOHIGHLEVEL_INSTANCES"]
    assert SOURCE.missing_settings({"instances": "main", "main_token": "x"}) == ["ETL_GOHIGHLEVEL_MAIN_LOCATION_ID"]
    nobody = Installation(settings, {})
    with pytest.raises(EtlError, match="not set is ETL_GOHIGHLEVEL_INSTANCES"):
        nobody.load()
    assert nobody.query(
        "select relation, records, why_empty from etl.staging_inventory where relation ~ 'ghl_' order by 1"
    ) == [
        (
            f"trialsync_staging.{name}",
            0,
            f"{what} of GoHighLevel; none before ETL_GOHIGHLEVEL_INSTANCES names a location: see"
            " etl_assets/sources/gohighlevel.",
        )
        for name, what in ((CONTACTS, "Contacts"), (FIELDS, "Custom fields"))
    ]


def test_the_tables_of_before_are_made_anew_where_they_are_empty_and_are_there_before_any_load(
    settings: Settings,
) -> None:
    migration = (PROJECT / "sql" / "migrations" / "0020_gohighlevel.sql").read_text()
    tables = "select count(*) from pg_tables where tablename ~ '^ghl_'"
    with connect(settings, role=None) as connection:
        connection.execute(
            f"insert into trialsync_staging.{FIELDS} (entity_id, data, source_id, source_instance_id, etl_job_id,"
            " etl_run_id, etl_batch_id) values ('x', '{}', '1', 1, 1, 1, gen_random_uuid())"
        )
        with pytest.raises(psycopg.errors.RaiseException, match="has rows"), connection.transaction():
            connection.execute(migration)
        assert connection.execute(tables).fetchall() == [(2,)]
        connection.execute(f"truncate trialsync_staging.{FIELDS}")
        connection.execute(migration)
        assert connection.execute(tables).fetchall() == [(0,)]
        connection.execute("set role etl_loader")
        for _ in range(2):
            create_job_tables(connection, SOURCE)
            assert connection.execute(tables).fetchall() == [(2,)]


def test_migrating_makes_the_tables_of_jobs_before_anything_is_loaded(settings: Settings) -> None:
    with connect(settings, role=None) as connection:
        connection.execute(f"drop table trialsync_staging.{CONTACTS}, trialsync_staging.dim_sites_staging")
    assert migrate_quietly(settings) == []
    with connect(settings, role="etl_personal_reader") as connection:
        assert connection.execute(f"select count(*) from trialsync_staging.{CONTACTS}").fetchall() == [(0,)]
        assert connection.execute("select count(*) from trialsync_staging.dim_sites_staging").fetchall() == [(0,)]


def test_a_page_has_as_many_contacts_as_the_vendor_gives() -> None:
    (paging,) = [job.endpoint.paging for job in SOURCE.jobs if isinstance(job.endpoint.paging, SearchAfter)]
    assert paging.size == MOST


def test_no_two_jobs_of_any_source_have_one_number() -> None:
    """`etl jobs disable 196` finds the source by it."""
    numbers = [job.id for source in SOURCES for job in source.jobs]
    assert len(set(numbers)) == len(numbers) == 97 + 2
