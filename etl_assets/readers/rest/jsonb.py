"""What PostgreSQL's jsonb refuses of valid JSON: found by tests that are cheap, and then looked at closely."""

import json
import re
from decimal import Decimal, InvalidOperation

ZERO = r"\u0000 in a string, which PostgreSQL cannot hold"
SURROGATE = "half of a surrogate pair in a string, which is no character"
ENCODING = "bytes that are no UTF-8"
NUMBER = "a number beyond what PostgreSQL's numeric holds"

MOST_DIGITS = 131_072
"""Of a numeric before the point."""
MOST_DECIMALS = 16_383

# Each escape is taken as a whole, from the left: \\u0000 is a backslash and letters. Only strings have backslashes.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<zero>u0000)|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# Digits as 0, signs as -: a number with a large exponent is told by its shape. A regex takes four times as long.
_SHAPES = bytes.maketrans(b"123456789E+", b"000000000e-")


def is_suspicious(data: bytes) -> bool:
    """Whether something in it may be refused; to be asked of a whole page, for most hold nothing of the kind."""
    if b"\\u0000" in data or b"\\ud" in data or b"\\uD" in data or not is_utf8(data):
        return True
    shapes = data.translate(_SHAPES)
    return b"0e00000" in shapes or b"0e-00000" in shapes


def refusal(data: bytes) -> str | None:
    """Why jsonb refuses a valid JSON text; None where it does not."""
    if not is_utf8(data):
        return ENCODING
    for escape in _ESCAPE.finditer(data):
        if escape.lastgroup:
            return ZERO if escape.lastgroup == "zero" else SURROGATE
    shapes = data.translate(_SHAPES)
    if b"0e00000" in shapes or b"0e-00000" in shapes:
        return _refusal_of_numbers(data)
    return None


def whole_pairs(data: bytes) -> bytes:
    """The text with each half of a surrogate pair replaced by a character; as long as before, byte for byte."""
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape["half"] else escape[0], data)


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are valid UTF-8."""
    try:
        data.isascii() or data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refusal_of_numbers(data: bytes) -> str | None:
    reasons = set()

    def look(text: str) -> None:
        try:
            number = Decimal(text)
        except InvalidOperation:
            reasons.add(NUMBER)
            return
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -MOST_DECIMALS or (number and number.adjusted() >= MOST_DIGITS):
            reasons.add(NUMBER)

    json.loads(data, parse_float=look, parse_int=len)
    return next(iter(reasons), None)
