"""Guards of a load: shrink check, allowed hours, and database errors without values of rows."""

import re

import psycopg

from etl_assets.declare.hours import AllowedHours
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, ShrunkenLoad
from etl_assets.settings import Settings
from etl_assets.warehouse.relation import Relation

SMALL_TABLE = 20
"""A list or a table of so few records may shrink as it likes."""
_COLUMN = re.compile(r", column ([^\s:,]+)")


def load_error(relation: Relation, error: psycopg.Error) -> EtlError:
    """Turn a PostgreSQL error into one that holds no value of a row: its own message about data does."""
    if not isinstance(error, psycopg.DataError):
        return EtlError(f"{relation}: {error.diag.message_primary or type(error).__name__}")
    found = _COLUMN.search(error.diag.context or "")
    column = error.diag.column_name or (found[1] if found else None)
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return EtlError(
        f"{relation}: PostgreSQL refuses a row: {kind} ({error.sqlstate})"
        + (f", column {column}" if column else "")
        + ". Nothing was loaded."
    )


def allowed_hours(settings: Settings, source: Source) -> AllowedHours | None:
    """The time of day in which a source may be read; None where it may at any."""
    return AllowedHours.parse(settings.of_source(source.name), f"ETL_{source.name}".upper())


def check_shrink_floor(where: str, *, held: int, staying: int, floor: float, again: str) -> None:
    """Shrink guard: refuse a load that would lose more of what is held than the floor allows.

    Raises:
        ShrunkenLoad: `staying` is under that share of `held`.
    """
    if held > SMALL_TABLE and staying < floor * held:
        raise ShrunkenLoad(where, held=held, arrived=staying, floor=floor, again=again)
