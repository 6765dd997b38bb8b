"""What PostgreSQL's jsonb rejects in a record: found by tests that are cheap, and then looked at closely.

Most of it is valid JSON. Some is not, and yet costs no more than the record that it is in, since it can be replaced by
as many bytes that a decoder takes: NaN and Infinity, and characters that a string must not hold as they are.
"""

import json
import re
from decimal import Decimal, InvalidOperation

NUL_CHARACTER = r"\u0000 in a string, which PostgreSQL cannot hold"
LONE_SURROGATE = "half of a surrogate pair in a string, which is no character"
INVALID_UTF8 = "bytes that are no UTF-8"
NOT_A_NUMBER = "NaN or Infinity, which JSON does not have"
UNESCAPED = "a control character, or a backslash before one that needs none, in a string"
NUMBER_OVERFLOW = "a number beyond what PostgreSQL's numeric holds"

MAX_INTEGER_DIGITS = 131_072
"""Of a numeric before the point."""
MAX_DECIMALS = 16_383

# Each escape is taken as a whole, from the left: \\u0000 is a backslash and letters. Only strings have backslashes.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<zero>u0000)|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# A string, or what C, Python and JavaScript write for numbers that are none. One without an end is passed over at once.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|-?(?:nan|inf(?:inity)?)\b', re.DOTALL | re.IGNORECASE)
_IN_STRING = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|(?P<wrong>\\.|[\x00-\x1f])', re.DOTALL)
# Digits as 0, signs as -: a number with a large exponent is told by its shape. A regex takes four times as long.
_SHAPES = bytes.maketrans(b"123456789E+", b"000000000e-")


def may_be_rejected(data: bytes) -> bool:
    """Whether jsonb may reject something in it; to be asked of a whole page, for most hold nothing of the kind."""
    if b"\\u0000" in data or b"\\ud" in data or b"\\uD" in data or not is_utf8(data):
        return True
    shapes = data.translate(_SHAPES)
    return b"0e00000" in shapes or b"0e-00000" in shapes


def jsonb_rejection(data: bytes) -> str | None:
    """Why jsonb rejects a text that is JSON once it is repaired; None where it does not."""
    if not is_utf8(data):
        return INVALID_UTF8
    for escape in _ESCAPE.finditer(data):
        if escape.lastgroup:
            return NUL_CHARACTER if escape.lastgroup == "zero" else LONE_SURROGATE
    for token in _TOKEN.findall(data):
        if not token.startswith(b'"'):
            return NOT_A_NUMBER
        if any(part.lastgroup for part in _IN_STRING.finditer(token)):
            return UNESCAPED
    shapes = data.translate(_SHAPES)
    if b"0e00000" in shapes or b"0e-00000" in shapes:
        return _number_rejection(data)
    return None


def repair(data: bytes) -> bytes:
    """The text with what no decoder takes replaced, as long as before, byte for byte.

    Half of a surrogate pair becomes U+FFFD, NaN an empty array, which is neither a key nor a count, and what a string
    must not hold becomes U+007F.
    """
    return _TOKEN.sub(_repair_token, _ESCAPE.sub(lambda escape: b"\\ufffd" if escape["half"] else escape[0], data))


def is_repaired(text: str) -> bool:
    """Whether a text, out of JSON that was repaired, is not as it came."""
    return "\ufffd" in text or "\x7f" in text


def _repair_token(token: re.Match[bytes]) -> bytes:
    if not token[0].startswith(b'"'):
        return b"[" + b" " * (len(token[0]) - 2) + b"]"
    return _IN_STRING.sub(lambda part: b"\x7f" * len(part[0]) if part["wrong"] else part[0], token[0])


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are valid UTF-8."""
    try:
        data.isascii() or data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _number_rejection(data: bytes) -> str | None:
    reasons = set()

    def check(text: str) -> None:
        try:
            number = Decimal(text)
        except InvalidOperation:
            reasons.add(NUMBER_OVERFLOW)
            return
        exponent = number.as_tuple().exponent
        if (
            not isinstance(exponent, int)
            or exponent < -MAX_DECIMALS
            or (number and number.adjusted() >= MAX_INTEGER_DIGITS)
        ):
            reasons.add(NUMBER_OVERFLOW)

    json.loads(data, parse_float=check, parse_int=len)
    return next(iter(reasons), None)
