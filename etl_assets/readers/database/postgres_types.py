"""Type mapping of a PostgreSQL source: what each type becomes in staging. No value needs to be converted.

A type becomes itself, without the precision of a moment: smallint, integer, bigint, numeric (with its precision), real,
double precision, boolean, date, time, timestamp, timestamptz, interval, bytea, uuid, jsonb; a domain becomes what it is
made from. Everything else becomes text, as PostgreSQL writes it: varchar, char (without its padding), json (which keeps
its own spelling), enums, arrays, ranges, addresses, money and bit strings.
"""

import re

KEPT = {
    "smallint": "smallint",
    "integer": "integer",
    "bigint": "bigint",
    "real": "real",
    "double precision": "double precision",
    "boolean": "boolean",
    "date": "date",
    "bytea": "bytea",
    "uuid": "uuid",
    "jsonb": "jsonb",
    "interval": "interval",
    "time without time zone": "time",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
_PRECISION = re.compile(r"\(\d+\)")
_INTERVAL = re.compile(r"^interval( (year|month|day|hour|minute|second)( to (month|hour|minute|second))?)?$")


def staging_type(written: str) -> str:
    """The staging type of a type as `format_type` writes it."""
    if re.fullmatch(r"numeric(\(\d+,-?\d+\))?", written):
        return written
    bare = _PRECISION.sub("", written)
    return "interval" if _INTERVAL.match(bare) else KEPT.get(bare, "text")
