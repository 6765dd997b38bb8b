"""A source of two tables whose rules are run, and what loads do to it. It lies in two schemas, to compare two ways."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta

import psycopg
import pytest
from psycopg import sql

from etl_assets.declare.files import FileTable, PerFile
from etl_assets.declare.rules import Rule
from etl_assets.declare.source import Source
from etl_assets.declare.tables import columns
from etl_assets.quality.run import RuleResult, run_due_rule, run_rule
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Batch, Counts, open_batch, record_load
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.relation import Relation

VISIT = FileTable(
    name="visit",
    key="id",
    columns=columns(bigint="id", date="day", text="room", timestamp="begun ended", timestamptz="changed_at"),
    load=PerFile(slice_by="day", start=date(2020, 1, 1)),
)


@dataclass(frozen=True)
class Ward:
    """One schema with visits and the rooms that they name, and what is run on it."""

    schema: str
    connection: psycopg.Connection
    batch: Batch

    def source(self, *rules: Rule) -> Source:
        return replace(SOURCE, name=self.schema, schema=self.schema, tables=(VISIT,), rules=rules)

    def execute(self, statement: str, *values: object) -> list[tuple]:
        cursor = self.connection.execute(sql.SQL(statement).format(ward=sql.Identifier(self.schema)), values or None)
        return cursor.fetchall() if cursor.description else []

    def loaded(self, table: str, *days: date, rows: int = 1) -> None:
        """A load has changed rows of these days, or nobody knows of which."""
        counts = Counts(rows_read=rows, rows_inserted=rows)
        record_load(
            self.connection,
            self.batch,
            Relation(self.schema, table),
            counts,
            seconds=0.0,
            dates=LoadedDates(changed=set(days)),
        )

    def visit(self, number: int, day: date, room: str | None = "a", hours: int = 1, at: int = 8) -> None:
        """One visit is loaded, in place of the one of that number."""
        left = [was for (was,) in self.execute("delete from {ward}.visit where id = %s returning day", number)]
        begins = sql.SQL("%s::date + make_interval(hours => %s)").as_string(self.connection)
        self.execute(
            f"insert into {{ward}}.visit (id, day, room, begun, ended) values (%s, %s, %s, {begins}, {begins})",
            number, day, room, day, at, day, at + hours,
        )  # fmt: skip
        self.loaded("visit", day, *left)

    def run(self, rule: Rule, span: object = None) -> RuleResult:
        return run_rule(self.connection, self.batch, self.source(rule), rule, span)

    def run_due(self, rule: Rule, span: object = None) -> RuleResult | None:
        return run_due_rule(self.connection, self.batch, self.source(rule), rule, span)

    def open_findings(self) -> set[tuple]:
        return set(
            self.execute(
                "select rule, key, field, value, slice, status from etl.quality_issue"
                " where split_part(relation, '.', 1) = %s and status <> 'closed'",
                self.schema,
            )
        )


@contextmanager
def ward_in(settings, schema: str) -> Iterator[Ward]:
    with connect(settings, role=None, autocommit=True) as connection:
        connection.execute(f"create schema {schema} authorization etl_loader")
    with open_batch(settings, schema, "check") as batch, connect(settings, autocommit=True) as connection:
        connection.execute(
            f"create table {schema}.visit (id bigint primary key, day date not null, room text, begun timestamp,"
            f" ended timestamp, changed_at timestamptz, etl_batch_id uuid, feed text, file_name text,"
            f" load_datetime timestamptz)"
        )
        connection.execute(f"create table {schema}.room (room text primary key)")
        yield Ward(schema, connection, batch)


@pytest.fixture
def ward(settings) -> Iterator[Ward]:
    with ward_in(settings, "ward") as ward:
        yield ward


@pytest.fixture
def twins(settings) -> Iterator[tuple[Ward, Ward]]:
    """Two wards that the same happens to."""
    with ward_in(settings, "ward") as one, ward_in(settings, "twin") as other:
        yield one, other


def days_of(first: date, number: int) -> Iterable[date]:
    return [first + timedelta(days=place) for place in range(number)]
