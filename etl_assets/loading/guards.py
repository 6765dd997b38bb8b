"""What a load is refused for, and how it is told without a value of a row."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from etl_assets.errors import EtlError, ShrunkenLoad
from etl_assets.loading.report import LoadReport
from etl_assets.warehouse.relation import Relation

FEW = 20
"""A list or a table of so few records may shrink as it likes."""
_COLUMN = re.compile(r", column ([^\s:,]+)")


@contextmanager
def told(report: LoadReport) -> Iterator[None]:
    """Keep what a table failed of, so that the others are loaded all the same."""
    started = time.monotonic()
    try:
        yield
    except EtlError as error:
        report.failure = error
    finally:
        report.seconds = time.monotonic() - started


def refusal(relation: Relation, error: psycopg.Error) -> EtlError:
    """What PostgreSQL refused, in words that hold no value: its own about data that do not fit do."""
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


def hold_to_floor(where: str, *, held: int, staying: int, floor: float, again: str) -> None:
    """Refuse to believe a source that has lost more of what is held than the floor allows.

    Raises:
        ShrunkenLoad: `staying` is under that share of `held`.
    """
    if held > FEW and staying < floor * held:
        raise ShrunkenLoad(where, held=held, arrived=staying, floor=floor, again=again)
