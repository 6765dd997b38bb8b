"""The command that explains the cells of a mart: from a number to its rows."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC

from etl_assets.cli.arguments import Commands, command
from etl_assets.declare.explanation import Explanation, FactOrigins, MeasuredCell, RowSet
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.files.line_numbers import find_lines
from etl_assets.orchestration.models.explanations import explanations, fact_origins, mart_columns
from etl_assets.quality.explanation import (
    ContributingRow,
    ExplainedCell,
    Where,
    contributing_rows,
    count_contributions,
    count_distinct_values,
    count_matching_rows,
    explain_cells,
    translated_errors,
)
from etl_assets.quality.origins import BrokenRule, StagingRow, broken_rules, count_rejected, find_origins
from etl_assets.settings import Settings, read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse.connection import PERSONAL_READER, READER, TRANSFORMER, Connection, connect

MOST = 20
_PAIR = re.compile(r"\s*([a-z_][a-z0-9_]*)\s*=\s*(?:'((?:[^']|'')*)'|([^\s',][^\s,]*))\s*(and\s+|,|$)", re.IGNORECASE)


def explain(options: argparse.Namespace) -> bool:
    """Explain the cells of one row of a mart: the rows that each is made of, and where these come from.

    Returns False where a cell is not what its rows give.

    Raises:
        EtlError: There is no such mart, row or column; several rows are meant; or its rows must not be told.
    """
    source, explanation = _explanation(options.relation)
    where = parse_pairs(options.where)
    known = mart_columns(source.name)[explanation.relation]
    if unknown := where.keys() - set(known):
        raise EtlError(f"{explanation.relation} has no column {min(unknown)}. It has: {', '.join(known)}")
    if options.column:
        explanation = explanation.only(options.column)
    settings = read_settings()
    tells_persons = source.publication is not None
    role = READER if not options.personal else TRANSFORMER if tells_persons else PERSONAL_READER
    with connect(settings, role=role) as connection, translated_errors(explanation.relation):
        _one_row(connection, explanation, where)
        cells = explain_cells(connection, explanation, where)[0]
        print("\n".join(_cell_lines(explanation, cells)))
        rows = {
            each.name: _rows(connection, source, explanation, each, where=where, most=options.most)
            for each in explanation.rows
        }
    for each in explanation.rows:
        number, fact, listed = rows[each.name]
        shown = "" if number <= len(listed) or tells_persons else f", of which {len(listed)} follow (--most)"
        print(f"\n{each.name}: {number:,} row{'' if number == 1 else 's'} of {each.relation}{shown}")
        if tells_persons:
            print("  Each may be one person's, and is not told.")
        else:
            for line in _row_lines(settings, source, fact, listed, options.most):
                print(line)
    if wrong := [cell.name for cell in cells if not cell.agrees]:
        print(
            f"\n{', '.join(wrong)}: the mart says something else than its rows do now. It was built before they"
            " changed, or is a snapshot of a day that is over."
            f" etl status says which models are behind; etl run {source.name} builds them."
        )
    return not wrong


def parse_pairs(text: str) -> dict[str, str | None]:
    """Columns and values out of `site_id=12 and service='General surgery' and status=null`.

    Raises:
        EtlError: It is not of that form, or names a column twice.
    """
    pairs: dict[str, str | None] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if not found or found[1].lower() in pairs:
            raise EtlError(
                f"--where is not of the form: site_id=12 and service='General surgery'. Look at: {text[at:]}"
            )
        bare = None if found[3] == "null" else found[3]
        pairs[found[1].lower()] = bare if found[2] is None else found[2].replace("''", "'")
        at = found.end()
    return pairs


def _explanation(relation: str) -> tuple[Source, Explanation]:
    for source in SOURCES:
        if source.publication and relation.partition(".")[0] == source.publication.schema:
            exact = relation.replace(source.publication.schema, source.publication.exact_schema, 1)
            raise EtlError(
                f"{relation} is published: cells of few persons are hidden in it, and the rows of a cell would tell of"
                " them. Why a cell is null, its column `suppressed` says. Whoever operates the warehouse may hold the"
                f" exact cells against their rows, which are counted and not told: etl explain {exact} --personal"
            )
        if found := explanations(source.name).get(relation):
            return source, found
    marts = [name for source in SOURCES for name in explanations(source.name)]
    raise EtlError(f"{relation} is no mart that can be explained. There are: {', '.join(marts)}")


def _one_row(connection: Connection, explanation: Explanation, where: Where) -> None:
    """Raise an EtlError where not exactly one row is meant."""
    number = count_matching_rows(connection, explanation, where)
    if number == 1:
        return
    if not number:
        raise EtlError(f"{explanation.relation} has no such row.")
    values = count_distinct_values(connection, explanation, where)
    left = ", ".join(f"{name} ({count:,} values)" for name, count in values.items() if count > 1)
    raise EtlError(f"{explanation.relation} has {number:,} such rows. To mean one, say in --where: {left}")


def _rows(
    connection: Connection,
    source: Source,
    explanation: Explanation,
    rows: RowSet,
    *,
    where: Where,
    most: int,
) -> tuple[int, FactOrigins, list[ContributingRow]]:
    """Of a set how many rows contribute, what names them, and the first of them; none where they tell of persons."""
    number = count_contributions(connection, explanation, rows, where)
    marts = explanations(source.name)
    own = FactOrigins(
        relation=rows.relation, key=marts[rows.relation].grain if rows.relation in marts else (), origins=()
    )
    fact = fact_origins(source.name).get(rows.relation, own)
    if source.publication or not fact.key:
        return number, fact, []
    return number, fact, contributing_rows(connection, explanation, rows, where, key=fact.key, most=most)


def _cell_lines(explanation: Explanation, cells: Sequence[ExplainedCell]) -> Iterator[str]:
    how = {cell.name: _describe(cell, rows) for rows in explanation.rows for cell in rows.cells}
    how |= {
        cell.name: f"= {cell.expression.strip()}" if cell.expression else f"{cell.formula} of {', '.join(cell.parts)}"
        for cell in explanation.derived
    }
    by_name = {cell.name: cell for cell in cells}
    table = [("cell", "mart", "its rows", "how")]
    for name in explanation.cells:
        cell = by_name[name]
        says = "(a step)" if cell.is_step else _show(cell.value)
        gives = _show(cell.explained) + ("" if cell.agrees else "  DIFFERS")
        table.append((name, says, gives, how[name]))
    widths = [max(len(row[at]) for row in table) for at in range(3)]
    for name, says, gives, described in table:
        yield f"{name:{widths[0]}}  {says:>{widths[1]}}  {gives:>{widths[2]}}  {' '.join(described.split())}"


def _describe(cell: MeasuredCell, rows: RowSet) -> str:
    expression = "" if cell.expression == "true" else f" {cell.expression.strip()}"
    where = "" if cell.where == "true" else f" where {cell.where.strip()}"
    return f"{cell.aggregate.replace('_', ' ')} of {rows.name}:{expression}{where}".removesuffix(":").replace(
        "fact.", ""
    )


def _row_lines(
    settings: Settings, source: Source, fact: FactOrigins, rows: Sequence[ContributingRow], most: int
) -> Iterator[str]:
    with connect(settings, role=TRANSFORMER) as connection:
        origins = find_origins(connection, SOURCES, fact, rows, most=most)
    with connect(settings) as connection:
        issues = broken_rules(connection, origins)
        rejected = count_rejected(connection, [origin.table for origin in fact.origins])
    lines = _file_lines(settings, source, origins)
    for number, row in enumerate(rows):
        yield f"  {_pairs(row.key)}: {_pairs(row.parts)}"
        for origin in origins:
            if origin.fact == number:
                yield f"    {origin.table} {_pairs(origin.key)}: {_provenance(origin, lines)}"
                yield from (f"      {_issue(issue)}" for issue in issues.get((origin.table, origin.row_key), ()))
                if origin.more:
                    yield f"    {origin.table}: and {origin.more:,} more"
    for table, faults in rejected.items():
        yield f"  {table}: {faults:,} faults of rows that could not be loaded, and are in no cell: etl.rejected_row"


def _file_lines(
    settings: Settings, source: Source, origins: Sequence[StagingRow]
) -> dict[tuple[str | None, str, str], str]:
    """Where rows stand in their files, by file, table and key; or why nobody can tell."""
    files: dict[tuple[str, str, str], set[str]] = {}
    for row in origins:
        if row.file_name and row.feed:
            files.setdefault((row.file_name, row.feed, row.table), set()).add(row.row_key)
    found: dict[tuple[str | None, str, str], str] = {}
    for (file_name, feed, table), keys in files.items():
        file_table = source.file_table(table.split(".", 1)[1])
        try:
            lines = find_lines(settings, source, file_table, feed=feed, file_name=file_name, row_keys=keys)
        except EtlError as error:
            found |= {(file_name, table, key): f"line not known: {error}" for key in keys}
        else:
            found |= {
                (file_name, table, key): f"line {lines[key]:,}" if key in lines else "not in the file any more"
                for key in keys
            }
    return found


def _provenance(row: StagingRow, lines: Mapping[tuple[str | None, str, str], str]) -> str:
    when = f" of {row.loaded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if row.loaded_at else ""
    batch = f"batch {str(row.batch_id)[:8]}{when}"
    return f"{row.file_name}, {lines[row.file_name, row.table, row.row_key]}; {batch}" if row.file_name else batch


def _issue(issue: BrokenRule) -> str:
    field = f" ({issue.field})" if issue.field else ""
    return f"issue {issue.issue_id}, {issue.severity}: {issue.rule}{field}"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {_show(value)}" for name, value in values.items())


def _show(value: object) -> str:
    return "null" if value is None else str(value)


def _at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows, from 1 on")
    return int(text)


def add_explain_command(commands: Commands) -> None:
    """The command `explain`."""
    made = command(commands, "explain", explain)
    made.add_argument("relation", help="a mart, such as tracktik.mart_hours")
    made.add_argument("--where", default="", metavar="PAIRS", help="which row: \"site_id=12 and service='Eye'\"")
    made.add_argument("--column", metavar="NAME", help="one cell of it, and those that it follows from")
    made.add_argument(
        "--most", type=_at_least_one, default=MOST, metavar="ROWS", help=f"rows that are listed, {MOST} by default"
    )
    made.add_argument(
        "--personal", action="store_true", help="read columns that tell of persons, such as patients' numbers"
    )
