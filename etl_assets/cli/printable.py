"""Output in which a terminal finds nothing to obey: names of files and errors of services are others' words."""

from typing import Any, TextIO

_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}
_TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""They turn the direction of what follows round."""
_SHOWN = {number: f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" for number in _CONTROLS | _TURNING}  # noqa: PLR2004 (what two digits hold)


class Printable:
    """A stream that writes the escapes of terminals as text: their codes, in place of the characters."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        self._stream.write(text.translate(_SHOWN))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
