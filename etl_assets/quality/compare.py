"""Hold the tables of an old pipeline against ours, table by table: counts, sums, keys, and which cells differ.

Values are compared as what they are: the old one is turned into our type (`warehouse.old_target` has the casts), and
floating numbers count to the fourth decimal. Rows are compared range by range of their keys, so that two tables that
agree cost two scans each and no row leaves the server. Each side is read at one moment; what was written in between
differs.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal

import psycopg
from psycopg import sql

from etl_assets.declare.database import WHOLE_NUMBERS, ColumnSum
from etl_assets.declare.source import Source
from etl_assets.declare.tables import IMPORTANCES, Table
from etl_assets.errors import EtlError, TransientError
from etl_assets.quality.sides import Side, ranges_apart, sums
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.old_target import Held, HeldTable, as_ours, held_tables

BOOKKEEPING = ("etl_batch_id",)
RANGE = 2_000
"""Keys of one range. In a range that differs, row is held against row."""
MOST_RANGES = 50
SAMPLE = 5
SESSION = (
    "set timezone to 'UTC'; set datestyle to 'ISO, YMD'; set intervalstyle to 'postgres'; set extra_float_digits to 1"
)
"""Both servers print and read values alike."""


@dataclass(frozen=True, kw_only=True)
class ColumnDifference:
    """A column whose values come to something else."""

    column: str
    old: ColumnSum
    new: ColumnSum


@dataclass(frozen=True, kw_only=True)
class CellDifference:
    """One cell that differs, of a row that both have. The values are withheld unless they were asked for."""

    key: str
    column: str
    old: str | None = None
    new: str | None = None


@dataclass(kw_only=True)
class TableComparison:
    """How a table of the old pipeline and ours compare."""

    table: str
    importance: str | None
    """None of a table that is none of ours."""
    old_rows: int | None = None
    """None where there is no such table."""
    new_rows: int | None = None
    columns: list[ColumnDifference] = field(default_factory=list)
    only_old_columns: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Those of the old columns that we do not load on purpose."""
    only_new_columns: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    """Columns of both in types that have no cast."""
    keys_only_old: int = 0
    keys_only_new: int = 0
    keys_twice_old: int = 0
    """Keys that the old table has more than once."""
    rows_differing: int = 0
    """Rows of both that differ in some cell."""
    all_looked_at: bool = True
    """Whether the four numbers above are of the whole table, and not of the first ranges that differ."""
    sample_only_old: list[str] = field(default_factory=list)
    sample_only_new: list[str] = field(default_factory=list)
    cells: list[CellDifference] = field(default_factory=list)
    failure: str | None = None
    """Why it could not be compared, or its keys not."""

    @property
    def verdict(self) -> str:
        """`equal`, `differs`, `only_old`, `only_new` or `failed`. Columns that one side lacks are no difference."""
        if self.failure:
            return "failed"
        if self.old_rows is None or self.new_rows is None:
            return "only_new" if self.old_rows is None else "only_old"
        apart = self.keys_only_old + self.keys_only_new + self.keys_twice_old + self.rows_differing
        return "differs" if apart or self.columns or self.old_rows != self.new_rows else "equal"


def compare(
    settings: Settings,
    source: Source,
    tables: Collection[str] = (),
    *,
    old_schema: str = "raw",
    zone: str = "UTC",
    show_values: bool = False,
) -> Iterator[TableComparison]:
    """Compare tables, the most important ones first; without names all of ours, then those that only the old one has.

    Args:
        settings: ETL_<SOURCE>_OLD_URL says where the old target is; unset, it is in the warehouse.
        source: Whose tables.
        tables: Their names.
        old_schema: Where the old tables are.
        zone: The time zone of the old pipeline's timestamps that have none.
        show_values: Show the values of cells that differ; they may be of patients.

    Raises:
        EtlError: The old target refuses, or has no such schema.
        TransientError: It cannot be reached.
    """
    with ExitStack() as stack:
        new = stack.enter_context(connect(settings, role=None))
        url = settings.of_source(source.name).get("old_url")
        old = stack.enter_context(_connect(url, source.name)) if url else new
        for connection in {id(old): old, id(new): new}.values():
            connection.execute(SESSION)
            connection.commit()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
        olds, ours = held_tables(old, old_schema), held_tables(new, source.schema)
        old.rollback()
        new.rollback()
        if not olds:
            raise EtlError(f"The old target has no table in schema {old_schema}, or the login may not see it.")
        wanted = [table for table in source.tables if not tables or table.name in tables]
        for table in sorted(wanted, key=lambda each: (_place(each), each.name)):
            comparison = TableComparison(table=table.name, importance=table.copied.importance if table.copied else None)
            work = _Comparing(comparison, table, old, new, zone, show_values)
            yield work.run(olds.get(table.name), ours.get(table.name))
        if not tables:
            yield from _strangers(old, olds, {table.name for table in source.tables})


def _connect(url: str, source: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, application_name="etl_assets", connect_timeout=15)
    except psycopg.OperationalError as error:
        kind = EtlError if "FATAL" in str(error) else TransientError
        raise kind(f"What ETL_{source.upper()}_OLD_URL names cannot be reached: {type(error).__name__}.") from None
    except psycopg.ProgrammingError:
        raise EtlError(f"ETL_{source.upper()}_OLD_URL is no URL of PostgreSQL's.") from None


def _place(table: Table) -> int:
    return IMPORTANCES.index(table.copied.importance) if table.copied else len(IMPORTANCES)


def _strangers(
    connection: psycopg.Connection, olds: Mapping[str, HeldTable], known: Collection[str]
) -> Iterator[TableComparison]:
    for name, table in olds.items():
        if name not in known:
            with connection.transaction():
                row = connection.execute(sql.SQL("select count(*) from {}").format(table.identifier)).fetchone()
            yield TableComparison(table=name, importance=None, old_rows=row[0] if row else 0)


@dataclass
class _Comparing:
    """The work of comparing one table."""

    found: TableComparison
    table: Table
    old_connection: psycopg.Connection
    new_connection: psycopg.Connection
    zone: str
    show_values: bool

    def run(self, old: HeldTable | None, ours: HeldTable | None) -> TableComparison:
        """What is found of the table."""
        try:
            with self.old_connection.transaction(), self.new_connection.transaction():
                sides = self._sides(old, ours)
                if sides:
                    self._compare(*sides)
        except psycopg.Error as error:
            # The server's own message may quote a value.
            self.found.failure = f"could not be read: {type(error).__name__} ({error.sqlstate})"
        return self.found

    def _sides(self, old: HeldTable | None, ours: HeldTable | None) -> tuple[Side, Side] | None:
        """Both sides with the columns that both have; what only one has is noted."""
        if old is None or ours is None:
            self.found.old_rows = _count(self.old_connection, old)
            self.found.new_rows = _count(self.new_connection, ours)
            return None
        shown: dict[str, tuple[Held, sql.Composable]] = {}
        for name, column in ours.columns.items():
            if name in BOOKKEEPING:
                continue
            if name not in old.columns:
                self.found.only_new_columns.append(name)
            elif turned := as_ours(old.columns[name], column, zone=self.zone):
                shown[name] = (column, turned)
            else:
                self.found.not_compared.append(name)
        only_old = [name for name in old.columns if name not in ours.columns]
        self.found.left_out = self.table.left_out(only_old)
        self.found.only_old_columns = [name for name in only_old if name not in self.found.left_out]
        kinds = {name: column.kind for name, (column, _) in shown.items()}
        turned_old = {name: turned for name, (_, turned) in shown.items()}
        as_is = {name: sql.Identifier(column.name) for name, (column, _) in shown.items()}
        return Side(self.old_connection, old, turned_old, kinds), Side(self.new_connection, ours, as_is, kinds)

    def _compare(self, old: Side, new: Side) -> None:
        (self.found.old_rows, old_sums), (self.found.new_rows, new_sums) = sums(old), sums(new)
        self.found.columns = [
            ColumnDifference(column=name, old=old_sums[name], new=new_sums[name])
            for name in old_sums
            if old_sums[name] != new_sums[name]
        ]
        if not set(self.table.keys) <= set(new.shown):
            self.found.failure = (
                f"the old table has not the key {', '.join(self.table.keys)}; its sums alone were compared"
            )
            return
        apart = ranges_apart(old, new, self._range(new))
        self.found.all_looked_at = len(apart) <= MOST_RANGES
        looked_at = apart[:MOST_RANGES]
        if looked_at:
            self._compare_rows(old, new, looked_at)

    def _key(self) -> sql.Composed:
        words = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in self.table.keys]
        return sql.SQL("concat_ws('|', {})").format(sql.SQL(", ").join(words))

    def _range(self, side: Side) -> sql.Composed:
        """Which range a row is in: by its key where that is a number, else by a hash of it."""
        name, *more = self.table.keys
        if not more and side.kinds[name] in WHOLE_NUMBERS:
            return sql.SQL("div({}::numeric, {})").format(sql.Identifier(name), sql.Literal(RANGE))
        ranges = max(1, max(self.found.old_rows or 0, self.found.new_rows or 0) // RANGE)
        return sql.SQL("(('x' || left(md5({}), 7))::bit(28)::integer % {})::numeric").format(
            self._key(), sql.Literal(ranges)
        )

    def _compare_rows(self, old: Side, new: Side, ranges: Sequence[Decimal | None]) -> None:
        within = sql.SQL("coalesce({}, -1) = any({})").format(
            self._range(new), sql.Literal([-1 if each is None else each for each in ranges])
        )
        parts = {"key": self._key(), "sum": new.row_sum, "within": within}
        query = "select {key}, {sum} from turned where {within}"
        old_rows: dict[str, list[object]] = defaultdict(list)
        for key, number in old.ask(query, **parts):
            old_rows[str(key)].append(number)
        new_rows = {str(key): number for key, number in new.ask(query, **parts)}
        only_old, only_new = sorted(old_rows.keys() - new_rows), sorted(new_rows.keys() - old_rows)
        differing = sorted(key for key in old_rows.keys() & new_rows if new_rows[key] not in old_rows[key])
        self.found.keys_only_old, self.found.sample_only_old = len(only_old), only_old[:SAMPLE]
        self.found.keys_only_new, self.found.sample_only_new = len(only_new), only_new[:SAMPLE]
        self.found.keys_twice_old = sum(len(numbers) > 1 for numbers in old_rows.values())
        self.found.rows_differing = len(differing)
        if differing:
            self.found.cells = self._cells(old, new, differing[:SAMPLE], within)

    def _cells(self, old: Side, new: Side, keys: Sequence[str], within: sql.Composable) -> list[CellDifference]:
        names = list(new.shown)
        measures = [sql.SQL("{}::text").format(new.measure(name)) for name in names]
        values = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in names]
        parts = {
            "key": self._key(),
            "measures": sql.SQL(", ").join(measures),
            "values": sql.SQL(", ").join(values),
            "keys": sql.Literal(list(keys)),
            "within": within,
        }
        query = "select {key}, array[{measures}], array[{values}] from turned where {within} and {key} = any({keys})"
        of_old = {key: (counts, texts) for key, counts, texts in old.ask(query, **parts)}
        of_new = {key: (counts, texts) for key, counts, texts in new.ask(query, **parts)}
        return [
            CellDifference(
                key=key,
                column=name,
                old=of_old[key][1][place] if self.show_values else None,
                new=of_new[key][1][place] if self.show_values else None,
            )
            for key in keys
            for place, name in enumerate(names)
            if of_old[key][0][place] != of_new[key][0][place]
        ]


def _count(connection: psycopg.Connection, table: HeldTable | None) -> int | None:
    if table is None:
        return None
    row = connection.execute(sql.SQL("select count(*) from {}").format(table.identifier)).fetchone()
    return row[0] if row else 0
