"""Silences: times in which nobody is told of a source or of one of its tables, each with an author and an end."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from etl_assets.errors import EtlError


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A time in which nobody is told of a source, or of one of its tables."""

    silence_id: int
    source: str
    relation: str
    """Empty where it is all of the source."""
    ends_at: datetime
    created_by: str
    why: str

    def covers(self, source: str, relation: str) -> bool:
        """Whether it is about this table."""
        return self.source == source and self.relation in {"", relation}


def add_silence(
    connection: psycopg.Connection, source: str, relation: str, *, hours: float, by: str, why: str
) -> Silence:
    """Silence a source or one of its tables, for at most 31 days.

    Raises:
        EtlError: The time is no such time, or a word is blank.
    """
    try:
        with connection.transaction(), connection.cursor(row_factory=class_row(Silence)) as cursor:
            return cursor.execute(
                "insert into etl.silence (source, relation, ends_at, created_by, why)"
                " values (%s, %s, now() + make_interval(secs => %s), btrim(%s), btrim(%s))"
                " returning silence_id, source, relation, ends_at, created_by, why",
                [source, relation, hours * 3600, by, why],
            ).fetchall()[0]
    except (psycopg.errors.CheckViolation, psycopg.errors.DatetimeFieldOverflow):
        raise EtlError("A silence has an author, a reason, and an end within 31 days.") from None


def end_silence(connection: psycopg.Connection, silence: int) -> None:
    """End a silence now.

    Raises:
        EtlError: None of this number lasts.
    """
    ended = connection.execute(
        "update etl.silence set ends_at = greatest(clock_timestamp(), starts_at + interval '1 microsecond')"
        " where silence_id = %s and ends_at > clock_timestamp() returning 1",
        [silence],
    ).fetchone()
    if ended is None:
        raise EtlError(f"There is no silence {silence} that lasts. Those there are: etl alerts")


def silences(connection: psycopg.Connection, now: datetime) -> list[Silence]:
    """The silences that last."""
    with connection.cursor(row_factory=class_row(Silence)) as cursor:
        return cursor.execute(
            "select silence_id, source, relation, ends_at, created_by, why from etl.silence"
            " where %(now)s >= starts_at and %(now)s < ends_at order by silence_id",
            {"now": now},
        ).fetchall()
