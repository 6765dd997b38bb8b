"""Money and hours: cents and ten-thousandths, rounded half away from zero."""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

ZERO = Decimal(0)
NO_HOURS, NO_MONEY = Decimal("0.0000"), Decimal("0.00")
_TEN_THOUSANDTH, _CENT = Decimal("0.0001"), Decimal("0.01")


def to_hours(number: Decimal) -> Decimal:
    """Four decimals."""
    return number.quantize(_TEN_THOUSANDTH, ROUND_HALF_UP)


def to_money(number: Decimal) -> Decimal:
    """Two decimals."""
    return number.quantize(_CENT, ROUND_HALF_UP)


def to_rate(number: Decimal) -> Decimal:
    """Four decimals, for money an hour that is a quotient."""
    return number.quantize(_TEN_THOUSANDTH, ROUND_HALF_UP)


class Number(str):
    """A number as it is written in an answer."""

    __slots__ = ()


@lru_cache(maxsize=50_000)
def as_hours(hours: Decimal | None) -> Number | None:
    """Hours as the service writes them, without the zeros at the end: 8, 7.5 or 11.9833."""
    if hours is None:
        return None
    text = format(hours, "f")
    return Number(text.rstrip("0").rstrip(".") if "." in text else text)
