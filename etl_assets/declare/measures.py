"""PostgreSQL's half of the checksums, as plain SQL: column sums and row checksums, wherever they are computed.

What a total is of which type, is said in `database_reader.ColumnSum`. Each side composes its own statement: whatever
stands for a column, quoted, is filled in where it is run.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, localcontext
from typing import Any, TypeVar

from etl_assets.declare.database_reader import ColumnSum, Sums

COLUMNS_AT_ONCE = 800
"""Columns that one statement sums: PostgreSQL gives no row of more than 1,664 values, and MySQL none of 4,096."""
ROW_CHECKSUM = "('x' || left(md5({0}), 15))::bit(60)::bigint"
"""The checksum of a row, with {0} for its text: a number of 60 bits that differs where rows differ."""
_OF_TEXT = "('x' || left(md5(convert_to({0}::text, 'UTF8')), 8))::bit(32)::bigint"
EMPTY_TEXT = 0xD41D8CD9
"""What an empty text counts: an MD5 costs more than all else, and many texts are empty."""
GREAT_FLOAT, HUGE_FLOAT = "9e14", "1e65"
"""From the one on, the ten-thousandths of a floating number are noise; from the other on, MySQL has no exact number."""
FLOAT_MODULUS, HUGE = 1_000_000_007, 999_999_937
_NOT_A_NUMBER, _INFINITE = 999_999_929, 999_999_893
_MEASURED_TEXT = f"case {{0}} when '' then {EMPTY_TEXT}::bigint else {_OF_TEXT} end"
_INFINITE_NUMBER = (
    f"case {{0}} when 'NaN' then {_NOT_A_NUMBER} when 'Infinity' then {_INFINITE} when '-Infinity' then -{_INFINITE}"
)
_FLOATING = (
    f"case when abs({{0}}::float8) < {GREAT_FLOAT} then floor({{0}}::float8 * 10000 + 0.5)::bigint"
    f" when abs({{0}}::float8) < {HUGE_FLOAT} then mod({{0}}::float8::text::numeric, {FLOAT_MODULUS})::bigint"
    f" when {{0}} is not null then {_INFINITE_NUMBER} else sign({{0}}::float8)::bigint * {HUGE} end end"
)
_FINITE = (
    f"case when isfinite({{{{0}}}}) then {{}} when {{{{0}}}} > {{}} then {_INFINITE}"
    f" when {{{{0}}}} is not null then -{_INFINITE} end"
)
_MOMENT = _FINITE.format("extract(epoch from {0}) - 946684800", "'2000-01-01'")
_MEASURES = {
    "smallint": "{0}::bigint",
    "integer": "{0}::bigint",
    "bigint": "{0}",
    "boolean": "{0}::integer",
    "numeric": f"case when {{0}} - {{0}} = 0 then {{0}} else {_INFINITE_NUMBER} end end",
    "real": _FLOATING,
    "double precision": _FLOATING,
    "date": _FINITE.format("({0} - date '2000-01-01')::bigint * 86400", "'2000-01-01'"),
    "timestamp": _MOMENT,
    "timestamptz": _MOMENT,
    "interval": _FINITE.format("extract(epoch from {0})", "interval '0'"),
    "time": "extract(epoch from {0})",
    "text": _MEASURED_TEXT,
    "bytea": "('x' || left(md5({0}), 8))::bit(32)::bigint",
}
# No two values share a form, where in a sum very great floating numbers count alike.
_ROUNDED = "floor({0}::float8 * 10000 + 0.5)"
_COMPARABLE = {
    "numeric": "trim_scale({0})",
    "real": _ROUNDED,
    "double precision": _ROUNDED,
    "interval": "extract(epoch from {0})",
}


Column = TypeVar("Column")


def measure_sql(kind: str) -> str:
    """The SQL expression of what a value of this type adds to its column's checksum, with {0} for the column."""
    return _MEASURES.get(_bare(kind), _OF_TEXT)


def comparable_sql(kind: str) -> str:
    """The SQL expression of a value in the form in which equal values print alike, with {0} for the column.

    A floating number counts to the fourth decimal, as it does in a sum, and trailing zeros do not count. Values whose
    measures differ differ in this form.
    """
    return _COMPARABLE.get(_bare(kind), "{0}")


def sums_sql(kinds: Sequence[str]) -> str:
    """The select list of the sums of columns of these types; see `parse_sums`.

    It is count(*), and then of each column its count and its total; {0}, {1} and so on stand for the columns.
    """
    aggregates = ["count(*)"]
    for place, kind in enumerate(kinds):
        column = f"{{{place}}}"
        aggregates += [f"count({column})", f"coalesce(sum({measure_sql(kind).replace('{0}', column)}), 0)"]
    return ", ".join(aggregates)


def parse_sums(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sums:
    """Parse the results of such selects, one each part of a row range, and add them up.

    Args:
        names: Those of the columns in staging, in the order of the select.
        rows: One a select.
    """
    return Sums(
        rows=sum(row[0] for row in rows),
        columns={
            name: ColumnSum(
                values=sum(row[1 + 2 * place] for row in rows),
                total=exact_sum(Decimal(row[2 + 2 * place]) for row in rows),
            )
            for place, name in enumerate(names)
        },
    )


def sums_by_columns(columns: Sequence[Column], query: Callable[[Sequence[Column]], Sums]) -> Sums:
    """The sums of the columns of a table, however many they are.

    Args:
        columns: All of them, in whatever form `query` takes them.
        query: Gives the sums of some of them, of the same rows each time.
    """
    groups = [columns[start : start + COLUMNS_AT_ONCE] for start in range(0, max(len(columns), 1), COLUMNS_AT_ONCE)]
    parts = [query(group) for group in groups]
    return Sums(
        rows=parts[0].rows,
        columns={name: found for part in parts for name, found in part.columns.items()},
        converted={rule: number for part in parts for rule, number in part.converted.items()},
    )


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """The exact sum: by itself Decimal rounds to 28 digits."""
    with localcontext(prec=100):
        return sum(values, Decimal(0))


def _bare(kind: str) -> str:
    return kind.partition("(")[0]
