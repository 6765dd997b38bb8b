"""Decode text files into blocks of whole lines: UTF-8 with LF, whatever the encoding and line ends of the file.

A byte that its encoding does not know does not cost the lines around it: it is carried along as a lone surrogate
(U+DC00 and the byte), which no valid UTF-8 holds, and the line is told apart later.
"""

import codecs
import re
from collections.abc import Callable, Iterator

from etl_assets.errors import FileRefused

BLOCK_BYTES = 1 << 17
"""Small enough that the warehouse does not wait for the next block, and that a block stays in the cache."""
MAX_LINE_BYTES = 16 << 20

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNSTORABLE = re.compile("[\udc00-\udcff\0]")
UNCOMPUTED = "\udd00"
"""Stands for the value of a formula that the file does not have: like an escaped byte no UTF-8 holds it."""
UNCOMPUTED_TEXT = "a formula without a stored value"


def line_blocks(read: Callable[[int], bytes], encoding: str) -> Iterator[tuple[bytes, bool]]:
    """Transcode a byte stream to UTF-8 and cut it into blocks of whole lines.

    Args:
        read: Gives at most so many bytes, none at the end.
        encoding: One of Python's. A byte order mark in the stream is believed more than this.

    Yields:
        About `BLOCK_BYTES` of UTF-8, each line ended by LF (the last one too), and whether bytes were damaged.

    Raises:
        FileRefused: The encoding is none, or a line is longer than `MAX_LINE_BYTES`.
    """
    first = read(BLOCK_BYTES)
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if first.startswith(mark)), None)
    try:
        known = codecs.lookup(marked or encoding).name
    except LookupError:
        raise FileRefused(f"there is no encoding {encoding!r}; mend the feed") from None
    transcode = _validate_utf8 if known in {"utf-8", "utf-8-sig"} else _transcoder(known)
    if first.startswith(codecs.BOM_UTF8):
        first = first[len(codecs.BOM_UTF8) :]
    rest, chunk = b"", first
    while chunk:
        following = read(BLOCK_BYTES)
        data, rest = _whole_lines(rest + chunk, last=not following, wide=known.startswith(("utf-16", "utf-32")))
        if len(rest) > MAX_LINE_BYTES:
            raise FileRefused(f"a line is longer than {MAX_LINE_BYTES >> 20} MB; this is no text file of rows")
        if data or not following:
            yield from _non_empty(transcode(data, not following))
        chunk = following


def _whole_lines(data: bytes, *, last: bool, wide: bool) -> tuple[bytes, bytes]:
    """The part up to the last line end, and what follows it."""
    if last:
        return data, b""
    cut = len(data) - len(data) % 4 if wide else max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
    return data[:cut], data[cut:]


def _non_empty(recoded: tuple[bytes, bool]) -> Iterator[tuple[bytes, bool]]:
    data, damaged = recoded
    if data:
        yield data, damaged


def _normalize_newlines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _end_last_line(data: bytes, *, last: bool) -> bytes:
    return data + b"\n" if last and data and not data.endswith(b"\n") else data


def _validate_utf8(data: bytes, last: bool) -> tuple[bytes, bool]:
    """Validate UTF-8: it stays as it is, but for its line ends; invalid bytes are escaped."""
    return escape_invalid_utf8(_end_last_line(_normalize_newlines(data), last=last))


def escape_invalid_utf8(data: bytes) -> tuple[bytes, bool]:
    """Escape the bytes that are no UTF-8, and tell whether there are any."""
    if data.isascii():
        return data, False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape").encode("utf-8", "surrogatepass"), True
    return data, False


def _transcoder(encoding: str) -> Callable[[bytes, bool], tuple[bytes, bool]]:
    """An incremental transcoder to UTF-8; what is left of a line is kept for the next call."""
    codecs.register_error("escape_bytes", _escape_bytes)
    decoder = codecs.getincrementaldecoder(encoding)("escape_bytes")
    kept, begun = "", False

    def transcode(data: bytes, last: bool) -> tuple[bytes, bool]:
        nonlocal kept, begun
        decoded = decoder.decode(data, last)
        text = kept + (decoded if begun else decoded.removeprefix("\ufeff"))
        begun = begun or bool(decoded)
        cut = len(text) if last else max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
        text, kept = text[:cut], text[cut:]
        if len(kept) > MAX_LINE_BYTES:
            raise FileRefused(f"a line is longer than {MAX_LINE_BYTES >> 20} MB; this is no text file of rows")
        try:
            return _end_last_line(_normalize_newlines(text.encode("utf-8")), last=last), False
        except UnicodeEncodeError:
            return _end_last_line(_normalize_newlines(text.encode("utf-8", "surrogatepass")), last=last), True

    return transcode


def _escape_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


def encoding_error(text: str, encoding: str) -> str | None:
    """Why a line cannot be stored: a NUL or a byte invalid in its encoding; None where it can."""
    found = _UNSTORABLE.search(text)
    if not found:
        return None
    if found[0] == "\0":
        return "the line holds a NUL byte, which text cannot"
    return f"byte 0x{ord(found[0]) - 0xDC00:02X} at character {found.start() + 1} is not {encoding}"


def escape_bad_bytes(text: str) -> str:
    """Replace each byte that cannot be stored by a hexadecimal escape, and what was never computed by words."""
    escaped = _UNSTORABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)
    return escaped.replace(UNCOMPUTED, f"({UNCOMPUTED_TEXT})")
