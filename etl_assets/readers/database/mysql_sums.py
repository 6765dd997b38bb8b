"""Column sums computed by MySQL, equal to PostgreSQL's of the same values.

A statement sums texts as they are stored, and says by the way whether one of them may hold what PostgreSQL cannot.
Those are then fetched, sanitized as they are where they are read, and counted for what they become: one rule, in one
place, and nobody else pays for it.
"""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from hashlib import md5

from etl_assets.declare.database_reader import ColumnSum, RowRange, SourceColumn, SourceTable, Sums
from etl_assets.declare.measures import EMPTY_TEXT, FLOAT_MODULUS, GREAT_FLOAT, HUGE, HUGE_FLOAT, exact_sum
from etl_assets.readers.database.mysql_connection import MysqlConnection
from etl_assets.readers.database.mysql_lines import (
    DATE_TYPES,
    IS_DATE,
    IS_LIKELY_DATE,
    LONE_SURROGATE,
    binary_expression,
    quote_mysql,
    raw_expression,
    sanitize_text,
)
from etl_assets.readers.database.mysql_ranges import from_where
from etl_assets.readers.database.mysql_types import MysqlType

Totals = dict[tuple[str, str], Decimal]
"""Totals by the column's name in staging (empty for the whole row) and by what is counted."""

ROWS, UNSANITIZED = ("", "rows"), ("", "odd")
# Each date counts this and its seconds, so that one sum says how many there are and what they come to.
_ONE_DATE = 10**30
_SECONDS_TO_2000 = 63_113_904_000
_MICROSECONDS = 1_000_000


def _sum_expressions(columns: Sequence[SourceColumn]) -> dict[tuple[str, str], str]:
    """The aggregate expressions that `query_sums` selects, by what they count."""
    expressions = {ROWS: "count(*)"}
    for column in columns:
        # Where there can be no null the number of rows says it.
        values = {"values": f"count({quote_mysql(column.name)})"} if column.nullable else {}
        expressions |= {(column.staging_name, measure): sql for measure, sql in (values | _expressions(column)).items()}
    if odd := _needs_sanitizing(columns):
        expressions[UNSANITIZED] = f"sum({odd})"
    return expressions


def query_sums(
    connection: MysqlConnection, table: SourceTable, columns: Sequence[SourceColumn], row_range: RowRange
) -> Totals:
    """Query the totals of some columns of a row range: in one statement, and in two where texts must be sanitized."""
    expressions = _sum_expressions(columns)
    row = connection.row(f"select {', '.join(expressions.values())}{from_where(table, row_range)}")
    totals = {measure: Decimal((value or b"0").decode()) for measure, value in zip(expressions, row, strict=True)}
    if totals.get(UNSANITIZED):
        _count_sanitized(connection, table, columns, row_range, totals)
    return totals


def combine_sums(columns: Sequence[SourceColumn], parts: Sequence[Totals]) -> Sums:
    """Combine the totals of the parts of a row range into its sums."""
    measures = {measure for part in parts for measure in part}
    totals = defaultdict(
        Decimal, {measure: exact_sum(part.get(measure, Decimal(0)) for part in parts) for measure in measures}
    )
    counted: dict[str, ColumnSum] = {}
    converted: dict[str, int] = {}
    for column in columns:
        name = column.staging_name
        values, total = int(totals[(name, "values") if column.nullable else ROWS]), totals[name, "total"]
        if MysqlType.parse(column.type).name in DATE_TYPES:
            dates, seconds = divmod(int(total), _ONE_DATE)
            converted[f"{name}: zero_date"], values = values - dates, dates
            total = Decimal(seconds - dates * _SECONDS_TO_2000)
        total = exact_sum((total, totals[name, "microseconds"] / _MICROSECONDS))
        counted[name] = ColumnSum(values=values, total=total)
        for rule in ("nul", "half_pair"):
            converted[f"{name}: {rule}"] = int(totals[name, rule])
    occurring = {rule: number for rule, number in converted.items() if number}
    return Sums(rows=int(totals[ROWS]), columns=counted, converted=occurring)


def _expressions(column: SourceColumn) -> dict[str, str]:
    kind, name = MysqlType.parse(column.type), quote_mysql(column.name)
    if kind.name in DATE_TYPES:
        is_valid = (IS_LIKELY_DATE if kind.name == "timestamp" else IS_DATE).format(name)
        expressions = {"total": f"sum(if({is_valid}, {_ONE_DATE} + to_seconds({name}), 0))"}
        return expressions | (
            {"microseconds": f"sum(if({is_valid}, microsecond({name}), 0))"} if kind.arguments else {}
        )
    if kind.is_bytes or column.staging_type == "text":
        digest = f"cast(conv(left(md5({raw_expression(column)}), 8), 16, 10) as unsigned)"
        return {"total": f"sum(if(length({raw_expression(column)}) = 0, {EMPTY_TEXT}, {digest}))"}
    if kind.name == "time":
        # MySQL's time_to_sec drops the microseconds, MariaDB's does not.
        sign = f"if({name} < 0, -1, 1)"
        expressions = {"total": f"sum(truncate(time_to_sec({name}), 0))"}
        return expressions | ({"microseconds": f"sum({sign} * microsecond({name}))"} if kind.arguments else {})
    if kind.name in {"float", "double", "real"}:
        # As whole numbers, for a sum of doubles depends on their order.
        whole = f"cast(floor({name} * 10000 + 0.5e0) as signed)"
        great = f"mod(cast(({name} + 0e0) as decimal(65, 0)), {FLOAT_MODULUS})"
        beyond = f"if(abs({name}) < {HUGE_FLOAT}, {great}, sign({name}) * {HUGE})"
        return {"total": f"sum(if(abs({name}) < {GREAT_FLOAT}, {whole}, {beyond}))"}
    return {"total": f"sum({name} + 0)"}


def _needs_sanitizing(columns: Sequence[SourceColumn]) -> str:
    """The condition that a text of a row may have to be sanitized.

    It holds a NUL, or the byte that half a surrogate pair begins with; in Korean other characters begin with it too.
    One that is too long for the source to look into may too.
    """
    tests = []
    for column in columns:
        if column.staging_type == "text":
            text = binary_expression(column)
            tests.append(
                f"length({raw_expression(column)}) and ifnull(instr({text}, x'00') or instr({text}, x'ed'), 1)"
            )
    return " or ".join(tests)


def _count_sanitized(
    connection: MysqlConnection,
    table: SourceTable,
    columns: Sequence[SourceColumn],
    row_range: RowRange,
    totals: Totals,
) -> None:
    """Correct the totals of texts that are sanitized: they count as what they become."""
    texts = [column for column in columns if column.staging_type == "text"]
    statement = (
        f"select {', '.join(map(raw_expression, texts))}{from_where(table, row_range, f'({_needs_sanitizing(texts)})')}"
    )
    for rows in connection.blocks(statement, fetch_rows=1):
        for column, text in zip(texts, rows[0], strict=True):
            if text is None or (sanitized := sanitize_text(text)) == text:
                continue
            name = column.staging_name
            totals[name, "total"] += _digest(sanitized) - _digest(text)
            for rule, applies in (("nul", b"\0" in text), ("half_pair", LONE_SURROGATE.search(text))):
                totals[name, rule] = totals.get((name, rule), Decimal(0)) + bool(applies)


def _digest(text: bytes) -> int:
    return int(md5(text, usedforsecurity=False).hexdigest()[:8], 16)
