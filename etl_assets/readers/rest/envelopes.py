"""Answers of the form {"meta": {"count": ...}, "data": [...]}: the records in them as the service's own bytes.

A page is cut into records without being decoded; of each record only the key and the date are. A record that cannot be
kept does not cost the others of its page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from etl_assets.declare.rest import Document, RefusedDocument
from etl_assets.declare.tables import Table, Window
from etl_assets.errors import EtlError
from etl_assets.readers.rest import jsonb

T = TypeVar("T")

SHOWN = 2000
"""Characters of a refused record that are kept."""
FOUND = 50
"""Characters of the value that is at fault."""
LONGEST = 19
"""Digits of a bigint."""
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1
"""What a bigint holds."""


class _Meta(msgspec.Struct):
    count: int
    offset: int | None = None


class _List(msgspec.Struct):
    meta: _Meta
    data: list[msgspec.Raw]


class _Single(msgspec.Struct):
    data: msgspec.Raw


# Not strict: a count that comes as a string of digits is a count.
_list = msgspec.json.Decoder(_List, strict=False)
_single = msgspec.json.Decoder(_Single)


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """One page of a list."""

    count: int
    """Of the whole list, as this page has it."""
    offset: int | None
    """Where the service says that the page begins."""
    first_key: int | None
    documents: list[Document]
    refused: list[RefusedDocument]

    @property
    def given(self) -> int:
        """How many records came."""
        return len(self.documents) + len(self.refused)


class RecordReader:
    """Takes the records of one table out of answers. Many threads may use it at once."""

    def __init__(self, table: Table) -> None:
        if len(table.keys) != 1:
            raise EtlError(f"{table.name}: a service's record is known by one id, not by {', '.join(table.keys)}.")
        self._table = table.name
        self._key = table.keys[0]
        self._slice_by = table.load.slice_by if isinstance(table.load, Window) else None
        head: list[tuple[str, Any, Any]] = [("key", int | str, msgspec.field(name=self._key))]
        if self._slice_by:
            head.append(("day", str, msgspec.field(name=self._slice_by)))
        self._head: Callable[[bytes], Any] = msgspec.json.Decoder(msgspec.defstruct("Head", head)).decode

    def page(self, body: bytes, *, first_place: int = 0) -> ListAnswer:
        """Cut a page into records.

        Args:
            body: JSON in UTF-8.
            first_place: Place of its first record, for those that are refused.

        Raises:
            ValueError: The body is broken: no JSON, or no UTF-8 and no record is to blame for it.
            EtlError: It is JSON of another form, or says no count.
        """
        try:
            envelope, text = _decoded(body, _list.decode)
        except msgspec.ValidationError as error:
            raise EtlError(
                f"{self._table}: the answer is not of the form meta, data, with the list's count in meta ({error})."
                " Without a count nothing tells whether all has come."
            ) from None
        records = list(map(bytes, envelope.data)) if text is body else _originals(envelope.data, text, body)
        suspicious = jsonb.is_suspicious(body)
        documents: list[Document] = []
        refused: list[RefusedDocument] = []
        for place, raw in enumerate(records, first_place):
            record = self._record(raw, place, suspicious=suspicious)
            if isinstance(record, Document):
                documents.append(record)
            else:
                refused.append(record)
        if suspicious and not jsonb.is_utf8(body) and all(jsonb.is_utf8(raw) for raw in records):
            raise ValueError(jsonb.ENCODING)
        begins = refused if refused and refused[0].place == first_place else documents
        first_key = begins[0].key if begins else None
        return ListAnswer(envelope.meta.count, envelope.meta.offset, first_key, documents, refused)

    def single(self, body: bytes) -> Document | RefusedDocument:
        """The record of an answer of the form {"data": {...}}; raises as `page`."""
        try:
            envelope, text = _decoded(body, _single.decode)
        except msgspec.ValidationError as error:
            raise EtlError(f"{self._table}: the answer is not of the form data ({error}).") from None
        return self._record(_originals([envelope.data], text, body)[0], 0, suspicious=True)

    def _record(self, raw: bytes, place: int, *, suspicious: bool) -> Document | RefusedDocument:
        if suspicious and (reason := jsonb.refusal(raw)):
            return self._refused(raw, place, reason)
        try:
            head = self._head(raw)
        except msgspec.ValidationError:
            return self._refused(raw, place)
        key = _whole_number(head.key)
        day = _day(head.day[:10]) if self._slice_by else None
        if key is None or (day is None and self._slice_by):
            return self._refused(raw, place)
        return Document(key, day, raw)

    def _refused(self, raw: bytes, place: int, reason: str | None = None) -> RefusedDocument:
        """A record with what is wrong with it, looked at closely; `reason` where that is known already."""
        try:
            values = msgspec.json.decode(jsonb.whole_pairs(raw), type=dict[str, msgspec.Raw])
        except ValueError:
            values = None
        told = values.get(self._key) if values else None
        key = None if told is None else _whole_number(msgspec.json.decode(told))
        at_fault = None
        if reason is None and values is None:
            reason = "it is no object"
        elif reason is None:
            at_fault = self._key if key is None else self._slice_by
            wanted = "a whole number that a bigint holds" if key is None else "a text that begins with YYYY-MM-DD"
            found = values.get(at_fault) if values and at_fault else None
            reason = f"{_shown(bytes(found), FOUND)} is not {wanted}" if found else "it is missing"
        return RefusedDocument(key, place, at_fault, reason or "", _shown(raw, SHOWN))


def _decoded(body: bytes, decode: Callable[[bytes], T]) -> tuple[T, bytes]:
    """What a body holds, and the text that was decoded: the body, or one as long that the decoder takes.

    The decoder refuses a whole page for half of a surrogate pair in one record.
    """
    try:
        return decode(body), body
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        text = jsonb.whole_pairs(body)
        if text == body:
            raise
    return decode(text), text


def _originals(records: list[msgspec.Raw], text: bytes, body: bytes) -> list[bytes]:
    """The records as the body has them, which were decoded from a text that differs from it, but not in length."""
    originals, end = [], text.index(b'"data"')
    for record in map(bytes, records):
        begin = text.index(record, end)
        end = begin + len(record)
        originals.append(body[begin:end])
    return originals


def _whole_number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= LONGEST:
        value = int(value)
    return value if type(value) is int and SMALLEST <= value <= LARGEST else None


@lru_cache(maxsize=4096)
def _day(text: str) -> date | None:
    """A date as YYYY-MM-DD; `fromisoformat` alone would take a week, such as 2025-W22-5, as well."""
    try:
        return date.fromisoformat(text) if text[4:8:3] == "--" else None
    except ValueError:
        return None


def _shown(raw: bytes, most: int) -> str:
    text = raw[: most + 1].decode(errors="backslashreplace")
    return text if len(raw) <= most else f"{text[:most]}..."
