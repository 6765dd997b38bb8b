"""Commands for the tables that are copied from a database: what there is, how it differs, and the way back."""

import argparse
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from etl_assets.cli.words import Commands, command, day, source_named, table_named, tables_named
from etl_assets.declare.catalogue import read_listing
from etl_assets.declare.source import Database, Source
from etl_assets.declare.tables import IMPORTANCES
from etl_assets.errors import EtlError
from etl_assets.loading.database.discovery import discover, drift
from etl_assets.loading.database.rollback import roll_back
from etl_assets.quality.compare import TableComparison, compare
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.retention import retain
from etl_assets.warehouse.database.switch import positions, switch
from etl_assets.warehouse.ledger import open_batch

LEAST_KEPT = 0.8
"""The share of the tables listed before under which a live database is not believed."""
SHOWN = 8
"""Columns, keys and cells that are shown of a table that differs."""


def discover_tables(options: argparse.Namespace) -> None:
    """Read the schema of a live database and write the list of its tables; or say where the two part."""
    source = options.source
    reader = _reader(source)
    catalogue = reader.catalogue
    if catalogue is None:
        raise EtlError(f"{source.name} keeps no list of its tables.")
    given = read_settings().of_source(source.name)
    source.hold_reachable(given)
    held = catalogue.path.read_text(encoding="utf-8") if catalogue.path.exists() else None
    with closing(reader.connect(given)) as connection:
        if options.check:
            found = drift(connection.describe(), catalogue, held or "")
            print("\n".join(found) or f"{catalogue.path.name} says what {source.title} has.")
            if found:
                raise EtlError(f"{len(found)} differences; etl discover {source.name} writes the file anew.")
            return
        text = discover(connection, catalogue, held)
    if held and not options.accept_shrink and (kept := _kept(held, text)) < LEAST_KEPT:
        raise EtlError(
            f"The live database has only {kept:.0%} of the tables that {catalogue.path.name} lists: is it a sandbox, or"
            " an account that may not see the rest? Nothing was written. If it is right:"
            f" etl discover {source.name} --accept-shrink"
        )
    changed = sum(1 for line in set(text.splitlines()) ^ set((held or "").splitlines()) if line)
    catalogue.path.write_text(text, encoding="utf-8")
    print(f"{catalogue.path}: {changed} lines differ from before." if changed else "Nothing has changed.")


def _kept(held: str, text: str) -> float:
    """The share of the tables listed before that are listed still."""
    before, now = (set(read_listing(each, "the list").tables) for each in (held, text))
    return len(before & now) / max(len(before), 1)


def compare_tables(options: argparse.Namespace) -> None:
    """Hold the tables of an old pipeline against ours: counts, sums, keys, and samples of what differs."""
    _reader(options.source)
    names = tables_named(options.source, options.table, options.importance)
    verdicts: dict[str, int] = {}
    found = compare(
        read_settings(),
        options.source,
        names,
        old_schema=options.old_schema,
        zone=options.zone,
        show_values=options.show_values,
    )
    for comparison in found:
        verdicts[comparison.verdict] = verdicts.get(comparison.verdict, 0) + 1
        print("\n".join(_told(comparison)))
    print("; ".join(f"{number} {verdict.replace('_', ' ')}" for verdict, number in sorted(verdicts.items())) + ".")


def _told(found: TableComparison) -> Iterator[str]:
    """A line, and what there is to say of a table that is not as the other."""
    old, new = (f"{rows:,}" if rows is not None else "-" for rows in (found.old_rows, found.new_rows))
    verdict = found.verdict.replace("_", " ")
    yield f"{found.importance or '':10} {found.table:30} {verdict:9} {old:>12} old {new:>12} new"
    if found.failure:
        yield f"    {found.failure}"
    for number, what, sample in (
        (found.keys_only_old, "keys only in the old one", found.sample_only_old),
        (found.keys_only_new, "keys only in ours", found.sample_only_new),
        (found.keys_twice_old, "keys twice in the old one", []),
    ):
        if number:
            yield f"    {number:,} {what}" + (f": {', '.join(sample[:SHOWN])}" if sample else "")
    if found.rows_differing:
        more = "" if found.all_looked_at else " at least"
        yield f"    {found.rows_differing:,} rows differ{more}; columns whose sums do: " + (
            ", ".join(each.column for each in found.columns[:SHOWN]) or "none"
        )
    for cell in islice(found.cells, SHOWN):
        values = f": {cell.old} old, {cell.new} new" if cell.old is not None or cell.new is not None else ""
        yield f"    {cell.key} {cell.column}{values}"
    for columns, what in (
        (found.only_old_columns, "only in the old one"),
        (found.only_new_columns, "only in ours"),
        (found.not_compared, "of types that do not compare"),
        (found.left_out, "never loaded by us"),
    ):
        if columns:
            yield f"    columns {what}: {', '.join(columns)}"


def switch_tables(options: argparse.Namespace) -> None:
    """Turn views of the live schema to the old pipeline's tables or to ours; without --to, show where they are."""
    if not options.to:
        with connect(read_settings()) as connection:
            found = positions(connection)
        for each in found:
            print(
                f"{each.relation:44} reads {each.reads}, since {each.switched_at:%Y-%m-%d %H:%M} by {each.switched_by}"
            )
        print(f"{len(found)} views.")
        return
    _reader(options.source)
    names = tables_named(options.source, options.table, options.importance)
    if not names or not options.by:
        raise EtlError("Say which tables, or which importance, and with --by who decided on it.")
    with connect(read_settings()) as connection:
        turned = switch(
            connection,
            options.source,
            names,
            to=options.to,
            by=options.by,
            old_schema=options.old_schema,
            zone=options.zone,
        )
        connection.commit()
    for view in turned:
        print(
            f"{view.view} reads the {view.reads} table, {view.rows:,} rows"
            + (f"; null there: {', '.join(view.missing)}" if view.missing else "")
        )


def roll_table_back(options: argparse.Namespace) -> None:
    """Bring a table back to what it held before the last load that changed it."""
    settings, source = read_settings(), options.source
    _reader(source)
    table = table_named(source, options.table)
    with open_batch(settings, source.name, "rollback") as batch:
        counts = roll_back(settings, source, table.name, batch)
    print(
        f"{source.schema}.{table.name}: {counts.rows_deleted:,} rows taken out, {counts.rows_inserted:,} put back,"
        f" {counts.rows_updated:,} as they were. The next load compares every row: stop its schedule, if need be."
    )


def retain_rows(options: argparse.Namespace) -> None:
    """Delete old rows from a table that outlives its source; who decided on it is written down."""
    source = options.source
    _reader(source)
    table = table_named(source, options.table)
    with connect(read_settings(), role=None) as connection:
        gone = retain(
            connection, source, table, column=options.column, before=options.before, by=options.by, why=options.why
        )
        connection.commit()
    print(f"{source.schema}.{table.name}: {gone:,} rows before {options.before} deleted; see etl.retention.")


def _reader(source: Source) -> Database:
    """How the source's database is read; an EtlError where it has none."""
    if not isinstance(source.reader, Database):
        raise EtlError(f"{source.name} is no database.")
    return source.reader


def add_to(commands: Commands) -> None:
    """The commands of this room."""
    made = command(commands, "discover", discover_tables)
    made.add_argument("source", type=source_named)
    made.add_argument("--accept-shrink", action="store_true", help="believe a database that has far fewer tables")
    made.add_argument("--check", action="store_true", help="write nothing, and fail where the two part")

    for name, act in (("compare", compare_tables), ("switch", switch_tables)):
        made = command(commands, name, act)
        made.add_argument("source", type=source_named)
        made.add_argument("table", nargs="*", help="before any other word")
        made.add_argument("--importance", choices=IMPORTANCES)
        made.add_argument("--old-schema", default="raw", metavar="NAME", help="where the old tables are")
        made.add_argument("--zone", default="UTC", help="the time zone of the old pipeline's moments that have none")
        if act is compare_tables:
            made.add_argument(
                "--show-values", action="store_true", help="the values of cells, which may be of patients"
            )
        else:
            made.add_argument("--to", choices=("old", "new"))
            made.add_argument("--by", help="who decided on it")

    made = command(commands, "rollback", roll_table_back)
    made.add_argument("source", type=source_named)
    made.add_argument("table")
    made = command(commands, "retain", retain_rows)
    made.add_argument("source", type=source_named)
    made.add_argument("table")
    made.add_argument("--column", required=True, help="the date that tells how old a row is")
    made.add_argument("--before", required=True, type=day, metavar="DATE")
    made.add_argument("--by", required=True, help="who decided on it")
    made.add_argument("--why", required=True)
