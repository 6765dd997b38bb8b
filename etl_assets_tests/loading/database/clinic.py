"""A small clinic: a real database with a handful of tables, a warehouse, and the loader between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

from etl_assets.declare.copied_table import CopiedTable, Incremental
from etl_assets.declare.database import Database
from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.declare.dates import Span
from etl_assets.declare.hours import AllowedHours
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Full
from etl_assets.loading.database.load import DatabaseStrategy
from etl_assets.loading.report import LoadReport
from etl_assets.readers.database import connect_database, open_connection
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.relation import Relation
from etl_assets_tests.loading.runs import load_by

SCHEMA = (
    "create table patient (PatNum bigint not null auto_increment primary key, LName varchar(100) not null default '',"
    " Birthdate date not null default '0001-01-01', BalTotal double not null default 0, Photo blob, Note text,"
    " SecretPin varchar(20) not null default '1234',"
    " DateTStamp timestamp not null default current_timestamp on update current_timestamp)",
    "create table appointment (AptNum bigint not null auto_increment primary key, PatNum bigint not null default 0,"
    " AptDateTime datetime not null default '0001-01-01', Late time, Confirmed bit(1) not null default b'0',"
    " DateTStamp timestamp not null default current_timestamp on update current_timestamp)",
    "create table definition (DefNum bigint not null auto_increment primary key,"
    " ItemName varchar(255) not null default '', ItemOrder smallint unsigned not null default 0)",
    "create table securitylog (SecurityLogNum bigint not null auto_increment primary key, LogText text,"
    " LogDateTime datetime not null default '0001-01-01')",
    "create table histappointment (HistApptNum bigint not null auto_increment primary key,"
    " AptNum bigint not null default 0, HistDateTStamp datetime not null default '0001-01-01',"
    " DateTStamp timestamp not null default current_timestamp on update current_timestamp)",
    "create table patlink (PatFrom bigint not null, PatTo bigint not null, LinkType tinyint not null default 0,"
    " primary key (PatFrom, PatTo))",
    "create table leftover (Word varchar(20), Amount decimal(10,2))",
)
EMPTY = """
drop schema open_dental cascade;
create schema open_dental authorization etl_keeper;
grant usage, create on schema open_dental to etl_loader;
grant usage on schema open_dental to etl_transformer;
truncate etl.batch, etl.key_range, etl.header_digest, etl.retention cascade;
alter table etl.row_overwritten disable trigger user;
alter table etl.row_refused disable trigger user;
truncate etl.row_overwritten, etl.row_refused;
alter table etl.row_overwritten enable trigger user;
alter table etl.row_refused enable trigger user
"""


TODAY = Span(date(2026, 1, 1), date(2026, 1, 1))
"""A database's tables are not loaded by date."""


def copied(importance: str = "critical", **words: Any) -> dict[str, Any]:
    return {"importance": importance, "why": "said by hand", "batch_size": 10, **words}


TABLES = (
    CopiedTable(
        name="patient", key="patnum", load=Incremental(column="DateTStamp"), **copied(), never_load=["secretpin"]
    ),
    CopiedTable(
        name="appointment",
        key="aptnum",
        load=Incremental(column="DateTStamp"),
        **copied(event_date="aptdatetime"),
    ),
    CopiedTable(name="definition", key="defnum", load=Full(), **copied("reference")),
    CopiedTable(
        name="securitylog",
        key="securitylognum",
        load=Incremental(column="SecurityLogNum"),
        **copied("audit", retain_deleted=True),
    ),
    CopiedTable(
        name="histappointment",
        key="histapptnum",
        load=Incremental(column="DateTStamp"),
        **copied("audit", retain_deleted=True),
    ),
    CopiedTable(name="patlink", key=("patfrom", "patto"), load=Full(), **copied("important")),
    CopiedTable(name="leftover", key=(), load=Full(), **copied("reference")),
)
NAMES = tuple(table.name for table in TABLES)


@dataclass
class Clinic:
    """The source, the warehouse, and what is between."""

    settings: Settings
    url: str
    tables: tuple[CopiedTable, ...] = TABLES
    connect: Callable[[Mapping[str, str]], DatabaseReader] = connect_database
    _connection: Any = field(default=None, repr=False)

    @property
    def source(self) -> Source:
        database = Database(
            connect=self.connect,
            required_settings=("url",),
            cron="0 * * * *",
            sweep_cron="0 3 * * *",
            start=date(2020, 1, 1),
        )
        return Source(
            name="open_dental",
            title="The clinic",
            schema="open_dental",
            reader=database,
            tables=self.tables,
            rules=(),
            owner="team:clinic",
            fresh_within=timedelta(days=1),
        )

    def begin_anew(self) -> None:
        """Empty the source and the warehouse: quicker than new ones."""
        tables = self.execute("select table_name from information_schema.tables where table_schema = database()")
        self.execute(*(f"drop table {name}" for (name,) in tables), *SCHEMA)
        with connect(self.settings, role=None) as connection:
            connection.execute(EMPTY)

    def host_in_postgresql(self, url: str, schema: str) -> None:
        """Move to a database of PostgreSQL, whose tables are those of its schema `clinic`, which the SQL makes."""
        self.url = url
        self.write(schema)
        to_schema = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dclinic"
        self.settings = replace(self.settings, given={**self.settings.given, "ETL_OPEN_DENTAL_URL": to_schema})

    def write(self, *statements: str) -> None:
        """Write into a source that is hosted in PostgreSQL."""
        with open_connection(self.url) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def execute(self, *statements: str) -> list[tuple]:
        """Write into the source, as its own programs do; what the last statement gives."""
        if self._connection is None:
            self._connection = open_connection(self.url)
        with self._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(map(tuple, cursor.fetchall()))

    def add(self, table: str, *rows: str, columns: str) -> None:
        self.execute(f"insert into {table} ({columns}) values {', '.join(f'({row})' for row in rows)}")

    def load(self, *tables: str, hours: AllowedHours | None = None, **options: bool) -> dict[str, LoadReport]:
        """Load some tables; all of them where none is named."""
        strategy = partial(DatabaseStrategy, hours=hours)
        with open_batch(self.settings, "open_dental", "load") as batch:
            return load_by(strategy, self.settings, self.source, tables or NAMES, span=TODAY, batch=batch, **options)

    def take(self, table: str, **words: Any) -> LoadReport:
        """Load one table, which must go well."""
        report = self.load(table, **words)[table]
        if report.failure:
            raise report.failure
        return report

    def same(self, table: str = "patient", columns: str = "PatNum, LName") -> bool:
        """Whether the rows held are those of the source."""
        return self.execute(f"select {columns} from {table} order by 1, 2") == self.held(table, columns)

    def query(self, question: str, *values: object) -> list[tuple]:
        with connect(self.settings, role=None) as connection:
            return connection.execute(question, values or None).fetchall()

    def held(self, table: str, columns: str = "*") -> list[tuple]:
        return self.query(f"select {columns} from open_dental.{table} order by 1, 2")

    def relation(self, table: str) -> Relation:
        return Relation(self.source.schema, table)

    def change(self, name: str, **words: Any) -> None:
        """Declare a table otherwise."""
        self.tables = tuple(replace(table, **words) if table.name == name else table for table in self.tables)


def counts(report: LoadReport) -> tuple[int, ...]:
    """Read, inserted, updated, unchanged, deleted."""
    read, inserted, updated, unchanged, deleted, rejected, _ = vars(report.counts).values()
    assert read == inserted + updated + unchanged + rejected
    return read, inserted, updated, unchanged, deleted


def checks(report: LoadReport) -> dict[str, bool]:
    return {check.name: check.passed for check in report.checks}


class Meanwhile:
    """A connection to a source at which something happens each time before it is asked in one of some ways."""

    def __init__(self, reader: DatabaseReader, happens: Mapping[str, Callable[[], None]]) -> None:
        self._reader, self._happens = reader, happens

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._reader, name)
        happens = self._happens.get(name)
        if happens is None:
            return asked

        def ask(*given: Any, **words: Any) -> Any:
            happens()
            return asked(*given, **words)

        return ask


def at_each(clinic: Clinic, **happens: Callable[[], None]) -> None:
    """Have something happen before each of the calls that are named, of every connection from now on."""

    def connect(given: Mapping[str, str]) -> Any:
        return Meanwhile(connect_database(given), happens)

    clinic.connect = connect


def once(happens: Callable[[], None]) -> Callable[[], None]:
    """The same, the first time alone."""
    left = [happens]
    return lambda: left.pop()() if left else None
