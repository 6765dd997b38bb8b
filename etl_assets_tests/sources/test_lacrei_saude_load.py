"""Lacrei Saude's stand-in is loaded in both of its schemas: all that may leave it arrives, and nothing else does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from etl_assets.declare.dates import Span
from etl_assets.loading.database.load import DatabaseStrategy
from etl_assets.loading.report import LoadReport
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.live import advance
from etl_assets.sandbox.lacrei_saude.planted import planted
from etl_assets.settings import Settings
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

SCHEMA = SOURCE.schema
NEVER = ("phones", "cpfs", "pix_keys", "registrations", "secrets")
"""What of the planted values stays at the source."""


@pytest.fixture(params=["older", "newer"])
def network(request: pytest.FixtureRequest, empty_database: Callable[[], str]) -> Iterator[psycopg.Connection]:
    """A stand-in of its own, in each schema."""
    url = empty_database()
    fill(url, schema=request.param, patients=60, seed=3)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def installation(settings: Settings, network: psycopg.Connection, server: Path) -> Settings:
    given = {
        **settings.given,
        "ETL_LACREI_SAUDE_URL": embedded.server_url(server, network.info.dbname),
        "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "planted-secret-planted-secret-planted",
    }
    return replace(settings, given=given)


def load(settings: Settings, **options: bool) -> dict[str, LoadReport]:
    names = [table.name for table in SOURCE.tables]
    first = SOURCE.database.start
    with open_batch(settings, SOURCE.name, "load") as batch:
        reports = load_by(DatabaseStrategy, settings, SOURCE, names, span=Span(first, first), batch=batch, **options)
    assert [str(report.failure) for report in reports.values() if report.failure] == []
    return reports


def rows_of(connection: psycopg.Connection, schema: str, table: str, columns: list[str]) -> list[tuple]:
    listed = ", ".join(f'"{column}"::text' for column in columns)
    return connection.execute(f'select {listed} from {schema}."{table}" order by 1, 2').fetchall()  # type: ignore[arg-type]


def columns_of(connection: psycopg.Connection, schema: str, table: str) -> list[str]:
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
        " and attname <> 'etl_batch_id' order by attname",
        [f"{schema}.{table}"],
    ).fetchall()
    return [name for (name,) in rows]


def assert_same(network: psycopg.Connection, settings: Settings) -> None:
    """Staging has what may be loaded of each table, to the letter."""
    with connect(settings, role=None) as warehouse:
        for table in SOURCE.tables:
            there, here = columns_of(network, "public", table.name), columns_of(warehouse, SCHEMA, table.name)
            classes = SOURCE.copied_table(table.name).classes
            assert classes is not None
            assert here == [column for column in there if not classes.leaves_out(column)], table.name
            if here:
                assert rows_of(warehouse, SCHEMA, table.name, here) == rows_of(network, "public", table.name, here)


def test_staging_has_what_may_be_loaded_and_follows_all_that_happens(
    network: psycopg.Connection, installation: Settings
) -> None:
    network.execute("set time zone 'UTC'")
    reports = load(installation)
    assert_same(network, installation)
    assert sum(report.counts.rows_inserted for report in reports.values()) > 500
    assert all(check.passed for report in reports.values() for check in report.checks)

    again = load(installation)
    assert sum(report.counts.changed for report in again.values()) == 0

    for step in (1, 2):
        changed = advance(network, step)
        assert changed.silent
        assert changed.deleted
        load(installation)
        assert_same(network, installation)


def test_what_must_not_leave_the_source_is_nowhere_and_people_are_in_staging_alone(
    network: psycopg.Connection, installation: Settings
) -> None:
    load(installation)
    found = planted(network)
    found["pix_keys"] -= found["emails"]  # many use their e-mail address as one
    with connect(installation, role=None) as warehouse:
        tables = warehouse.execute(
            "select oid::regclass::text, relnamespace::regnamespace::text from pg_class where relkind = 'r'"
            " and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        texts = {
            (name, schema): " ".join(
                text
                for (text,) in warehouse.execute(f"select t::text from {name} as t").fetchall()  # type: ignore[arg-type]
            )
            for name, schema in tables
        }
    leaks = {
        kind: sorted({name for (name, _), text in texts.items() for value in found[kind] if value in text})
        for kind in found
    }
    assert all(found.values())
    assert {kind: leaks[kind] for kind in NEVER} == {kind: [] for kind in NEVER}
    outside = {name for (name, schema), _ in texts.items() if schema != SCHEMA}
    assert outside.isdisjoint(leaks["emails"])
    assert leaks["emails"] == [f"{SCHEMA}.lacreiid_user"]
    whole = {name for name in found["names"] if " " in name}
    assert whole
    assert not [name for (name, schema), text in texts.items() if schema != SCHEMA and any(w in text for w in whole)]


def test_no_reader_sees_staging(network: psycopg.Connection, installation: Settings) -> None:
    load(installation)
    with connect(installation, role=None) as warehouse:
        rows = warehouse.execute(
            "select reader, class.relname from pg_class as class,"
            " unnest(array['etl_reader', 'etl_personal_reader']) as reader where class.relnamespace = %s::regnamespace"
            " and class.relkind = 'r' and has_schema_privilege(reader, class.relnamespace, 'usage')",
            [SCHEMA],
        ).fetchall()
        (held,) = warehouse.execute("select count(*) from pg_tables where schemaname = %s", [SCHEMA]).fetchone() or (0,)
    assert held > 10
    assert rows == []


def test_every_person_has_a_pseudonym_of_their_own(network: psycopg.Connection, installation: Settings) -> None:
    load(installation)
    with connect(installation, role=None) as warehouse:
        rows = warehouse.execute(
            f"select subject, count(*), count(distinct person_key) from {SCHEMA}.etl_person_key group by 1 order by 1"
        ).fetchall()
    people, professionals = (
        (network.execute(f"select count(*) from {table}").fetchone() or (0,))[0]
        for table in ("lacreiid_user", "lacreisaude_professional")
    )
    assert rows == [("patient", people, people), ("professional", professionals, professionals)]


def test_a_migration_of_the_source_brings_nothing_in_by_itself(
    network: psycopg.Connection, installation: Settings
) -> None:
    load(installation)
    network.execute("alter table lacreiid_user add column nickname text default 'planted-nickname'")
    reports = load(installation)
    (check,) = [each for each in reports["lacreiid_user"].checks if each.name == "everything_is_classified"]
    assert not check.passed
    assert "nickname" in check.description
    with connect(installation, role=None) as warehouse:
        assert "nickname" not in columns_of(warehouse, SCHEMA, "lacreiid_user")

    network.execute(
        "create table lacreiid_wallet (id integer primary key, pix text); insert into lacreiid_wallet values (1, 'x')"
    )
    reports = load(installation)
    (check,) = [
        check
        for report in reports.values()
        for check in report.checks
        if check.name == "everything_is_classified" and "the table lacreiid_wallet" in check.description
    ]
    assert not check.passed
    with connect(installation, role=None) as warehouse:
        assert columns_of(warehouse, SCHEMA, "lacreiid_wallet") == []
