"""PostgreSQL's half of the column checksums: the expression by which a value counts, at a source and in staging.

What a total is of which type, is said in `database_reader.ColumnSum`.
"""

_OF_TEXT = "('x' || left(md5(convert_to({0}::text, 'UTF8')), 8))::bit(32)::bigint"
# An MD5 costs more than all else, and many texts are empty.
_MEASURED_TEXT = f"case {{0}} when '' then {0xD41D8CD9}::bigint else {_OF_TEXT} end"
_FLOATING = "case when abs({0}::float8) < 9e14 then floor({0}::float8 * 10000 + 0.5)::bigint else 0 end"
_MOMENT = "case when isfinite({0}) then extract(epoch from {0}) - 946684800 else 0 end"
_MEASURES = {
    "smallint": "{0}::bigint",
    "integer": "{0}::bigint",
    "bigint": "{0}",
    "boolean": "{0}::integer",
    # Neither NaN nor an infinity counts.
    "numeric": "case when {0} - {0} = 0 then {0} else 0 end",
    "real": _FLOATING,
    "double precision": _FLOATING,
    "date": "case when isfinite({0}) then ({0} - date '2000-01-01')::bigint * 86400 else 0 end",
    "timestamp": _MOMENT,
    "timestamptz": _MOMENT,
    "interval": "extract(epoch from {0})",
    "time": "extract(epoch from {0})",
    "text": _MEASURED_TEXT,
    "bytea": "('x' || left(md5({0}), 8))::bit(32)::bigint",
}


def measure_sql(kind: str) -> str:
    """The SQL expression of what a value of this type adds to its column's checksum, with {0} for the column."""
    return _MEASURES.get(kind.partition("(")[0], _OF_TEXT)
