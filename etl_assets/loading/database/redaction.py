"""Redaction of free text: what identifies a person by its form is replaced before a row reaches any table.

Recognised are e-mail addresses and web addresses, telephone numbers (phonenumbers), CPF and CNPJ numbers
(validate-docbr), and whatever else has six digits or more. Names and diagnoses have no form: text that is redacted may
still tell whose it is, so that it stays in staging, which no reader sees.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from phonenumbers import Leniency, PhoneNumberMatcher
from validate_docbr import CNPJ, CPF

from etl_assets.declare.database_reader import DatabaseReader, Fingerprint, RowRange, SourceTable, Sums

COUNTRY = "BR"
_ADDRESS = re.compile(r"[^\s@<>()\[\]]+@[^\s@<>()\[\]]+\.\w+|(?:https?://|www\.)\S+", re.IGNORECASE)
_DOCUMENT = re.compile(r"\b\d{2,3}\.?\d{3}\.?\d{3}(?:/?\d{4})?-?\d{2}\b")
_DIGITS = re.compile(r"\+?\d(?:[\s.\-/()]{0,2}\d){5,}")
_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def redact_text(text: str) -> str:
    """The text with a word in brackets for what identifies somebody: `[e-mail]`, `[CPF]`, `[telefone]` ..."""
    text = _ADDRESS.sub(lambda found: "[e-mail]" if "@" in found[0] else "[link]", text)
    text = _DOCUMENT.sub(_document, text)
    parts, end = [], 0
    for number in PhoneNumberMatcher(text, COUNTRY, leniency=Leniency.POSSIBLE):
        parts += [text[end : number.start], "[telefone]"]
        end = number.end
    return _DIGITS.sub("[número]", "".join(parts) + text[end:])


def _document(found: re.Match[str]) -> str:
    if CPF().validate(found[0]):
        return "[CPF]"
    return "[CNPJ]" if CNPJ().validate(found[0]) else found[0]


class RedactingReader:
    """A reader of a source that redacts the columns that are to be; they count for nothing where rows are compared.

    Everything else is as the reader that it stands before does it.
    """

    def __init__(self, reader: DatabaseReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read(
        self, table: SourceTable, row_range: RowRange, *, batch_size: int, without_nul: bool = False
    ) -> Iterator[bytes]:
        """The rows of a range, see `DatabaseReader`; redacted."""
        blocks = self._reader.read(table, row_range, batch_size=batch_size, without_nul=without_nul)
        places = [place for place, column in enumerate(table.columns) if column.is_redacted]
        return (_redact_lines(block, places) for block in blocks) if places else blocks

    def fingerprints(
        self, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None = None
    ) -> Iterator[Fingerprint]:
        """The checksums of all key ranges, see `DatabaseReader`."""
        return self._reader.fingerprints(table.compared, bounds, batch_size=batch_size, after=after)

    def sums(self, table: SourceTable, row_range: RowRange, *, single_statement: bool = False) -> Sums:
        """The column sums of a range, see `DatabaseReader`."""
        return self._reader.sums(table.compared, row_range, single_statement=single_statement)


def _redact_lines(block: bytes, places: Sequence[int]) -> bytes:
    """Lines of COPY's text format with the fields at these places redacted."""
    lines = block.split(b"\n")
    for number, line in enumerate(lines):
        if line:
            fields = line.split(b"\t")
            for place in places:
                fields[place] = _redact_field(fields[place])
            lines[number] = b"\t".join(fields)
    return b"\n".join(lines)


def _redact_field(field: bytes) -> bytes:
    if field == rb"\N":
        return field
    text = _ESCAPE.sub(lambda found: _UNESCAPED.get(found[1], found[1]), field.decode())
    redacted = redact_text(text)
    for written in "\\\n\r\t":
        redacted = redacted.replace(written, {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(written, "\\\\"))
    return redacted.encode()
