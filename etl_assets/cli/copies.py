"""Commands for the tables that are copied from a database: what there is, how it differs, and the way back."""

import argparse
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from etl_assets.cli.arguments import Commands, command, copied_table_named, copied_tables_named, day, source_named
from etl_assets.declare.catalogue import parse_catalogue
from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.database.discovery import describe_left_out, discover, find_drift
from etl_assets.loading.database.rollback import roll_back
from etl_assets.quality.compare import TableComparison, compare
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.comparisons import LastComparison, record_comparison
from etl_assets.warehouse.database.retention import apply_retention
from etl_assets.warehouse.database.switch import switch, switch_states
from etl_assets.warehouse.ledger import open_batch

MIN_KEPT_SHARE = 0.8
"""The share of the tables listed before under which a live database is not believed."""
MAX_SHOWN = 8
"""Columns, keys and cells that are shown of a table that differs."""


def discover_tables(options: argparse.Namespace) -> None:
    """Read the schema of a live database and write the list of its tables; or say where the two part."""
    source = options.source
    reader = source.database
    catalogue = reader.catalogue
    if catalogue is None:
        raise EtlError(f"{source.name} keeps no list of its tables.")
    given = read_settings().of_source(source.name)
    source.require_settings(given)
    current_text = catalogue.path.read_text(encoding="utf-8") if catalogue.path.exists() else None
    with closing(reader.connect(given)) as connection:
        if options.check:
            found = find_drift(connection.describe(), catalogue, current_text or "")
            print("\n".join(found) or f"{catalogue.path.name} says what {source.title} has.")
            _print_left_out(current_text or "", catalogue.path)
            if found:
                raise EtlError(f"{len(found)} differences; etl discover {source.name} writes the file anew.")
            return
        text = discover(connection, catalogue, current_text)
    if current_text and not options.accept_shrink and (share := _kept_share(current_text, text)) < MIN_KEPT_SHARE:
        raise EtlError(
            f"The live database has only {share:.0%} of the tables that {catalogue.path.name} lists: is it a sandbox,"
            " or an account that may not see the rest? Nothing was written. If it is right:"
            f" etl discover {source.name} --accept-shrink"
        )
    changed = sum(1 for line in set(text.splitlines()) ^ set((current_text or "").splitlines()) if line)
    catalogue.path.write_text(text, encoding="utf-8")
    print(f"{catalogue.path}: {changed} lines differ from before." if changed else "Nothing has changed.")
    _print_left_out(text, catalogue.path)


def _print_left_out(text: str, path: Path) -> None:
    for line in describe_left_out(text, path.name):
        print(line)


def _kept_share(current_text: str, text: str) -> float:
    """The share of the tables listed before that are listed still."""
    before, now = (set(parse_catalogue(each, "the list").tables) for each in (current_text, text))
    return len(before & now) / max(len(before), 1)


def compare_tables(options: argparse.Namespace) -> bool:
    """Compare the tables of an old pipeline with ours: counts, sums, keys, and samples of what differs.

    Exits with 2 where one of our tables differs from the old one, lacks it or could not be compared.
    """
    names = copied_tables_named(options.source, options.table, options.importance)
    verdicts: dict[str, int] = {}
    is_equal = True
    found = compare(
        read_settings(),
        options.source,
        names,
        old_schema=options.old_schema,
        zone=options.zone,
        show_values=options.show_values,
    )
    for comparison in found:
        _record(options.source, comparison)
        verdicts[comparison.verdict] = verdicts.get(comparison.verdict, 0) + 1
        is_equal &= comparison.is_as_the_old_one
        print("\n".join(_describe_comparison(comparison)))
    print("; ".join(f"{number} {verdict.replace('_', ' ')}" for verdict, number in sorted(verdicts.items())) + ".")
    return is_equal


def _record(source: Source, found: TableComparison) -> None:
    """Write down how a table of ours compared, for the report of an incident."""
    if found.importance is None:
        return
    with connect(read_settings(), autocommit=True) as connection:
        record_comparison(
            connection,
            LastComparison(
                relation=f"{source.schema}.{found.table}",
                compared_at=datetime.now(UTC),
                verdict=found.verdict,
                old_rows=found.old_rows,
                new_rows=found.new_rows,
                keys_only_old=found.keys_only_old,
                keys_only_new=found.keys_only_new,
                rows_differing=found.rows_differing,
                columns=[each.column for each in found.columns],
            ),
        )


def _describe_comparison(found: TableComparison) -> Iterator[str]:
    """A line, and what there is to say of a table that is not as the other."""
    old, new = (f"{rows:,}" if rows is not None else "-" for rows in (found.old_rows, found.new_rows))
    verdict = found.verdict.replace("_", " ")
    yield f"{found.importance or '':10} {found.table:30} {verdict:9} {old:>12} old {new:>12} new"
    if found.failure:
        yield f"    {found.failure}"
    for number, what, sample in (
        (found.keys_only_old, "keys only in the old one", found.sample_only_old),
        (found.keys_only_new, "keys only in ours", found.sample_only_new),
        (found.duplicate_keys_old, "keys twice in the old one", []),
    ):
        if number:
            yield f"    {number:,} {what}" + (f": {', '.join(sample[:MAX_SHOWN])}" if sample else "")
    if found.rows_differing:
        more = "" if found.is_complete else " at least"
        yield f"    {found.rows_differing:,} rows differ{more}; columns whose sums do: " + (
            ", ".join(each.column for each in found.columns[:MAX_SHOWN]) or "none"
        )
    for cell in islice(found.cells, MAX_SHOWN):
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
            found = switch_states(connection)
        for each in found:
            print(
                f"{each.relation:44} reads {each.reads}, since {each.switched_at:%Y-%m-%d %H:%M} by {each.switched_by}"
            )
        print(f"{len(found)} views.")
        return
    names = copied_tables_named(options.source, options.table, options.importance)
    if not names or not options.by:
        raise EtlError("Say which tables, or which importance, and with --by who decided on it.")
    with connect(read_settings()) as connection:
        switched = switch(
            connection,
            options.source,
            names,
            to=options.to,
            by=options.by,
            old_schema=options.old_schema,
            zone=options.zone,
        )
        connection.commit()
    for view in switched:
        print(
            f"{view.view} reads the {view.reads} table, {view.rows:,} rows"
            + (f"; null there: {', '.join(view.missing)}" if view.missing else "")
        )


def roll_table_back(options: argparse.Namespace) -> None:
    """Bring a table back to what it held before the last load that changed it."""
    settings, source = read_settings(), options.source
    table = copied_table_named(source, options.table)
    with open_batch(settings, source.name, "rollback") as batch:
        counts = roll_back(settings, source, table.name, batch)
    print(
        f"{source.schema}.{table.name}: {counts.rows_deleted:,} rows taken out, {counts.rows_inserted:,} put back,"
        f" {counts.rows_updated:,} as they were. The next load compares every row: stop its schedule, if need be."
    )


def retain_rows(options: argparse.Namespace) -> None:
    """Delete old rows from a table that outlives its source; who decided on it is written down."""
    source = options.source
    table = copied_table_named(source, options.table)
    with connect(read_settings(), role=None) as connection:
        deleted = apply_retention(
            connection, source, table, column=options.column, before=options.before, by=options.by, why=options.why
        )
        connection.commit()
    print(f"{source.schema}.{table.name}: {deleted:,} rows before {options.before} deleted; see etl.retention.")


def add_copy_commands(commands: Commands) -> None:
    """The commands of this room."""
    for name, act in (("compare", compare_tables), ("switch", switch_tables)):
        parser = command(commands, name, act)
        parser.add_argument("source", type=source_named)
        parser.add_argument("table", nargs="*", help="before any other word")
        parser.add_argument("--importance", choices=IMPORTANCES)
        parser.add_argument("--old-schema", default="raw", metavar="NAME", help="where the old tables are")
        parser.add_argument("--zone", default="UTC", help="the time zone of the old pipeline's moments that have none")
        if act is compare_tables:
            parser.add_argument(
                "--show-values", action="store_true", help="the values of cells, which may be of patients"
            )
        else:
            parser.add_argument("--to", choices=("old", "new"))
            parser.add_argument("--by", help="who decided on it")

    parser = command(commands, "rollback", roll_table_back)
    parser.add_argument("source", type=source_named)
    parser.add_argument("table")
    parser = command(commands, "retain", retain_rows)
    parser.add_argument("source", type=source_named)
    parser.add_argument("table")
    parser.add_argument("--column", required=True, help="the date that tells how old a row is")
    parser.add_argument("--before", required=True, type=day, metavar="DATE")
    parser.add_argument("--by", required=True, help="who decided on it")
    parser.add_argument("--why", required=True)
