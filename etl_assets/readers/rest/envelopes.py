"""Response envelopes: cuts a body into records as the service's own bytes, its count, its offset and its next link.

Where they lie is declared (`declare/endpoints.py`). A page is cut in one pass and without being decoded; what becomes
of each record is decided in `records.py`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from etl_assets.declare.document_reader import Document, Key, KeyValue, RejectedRecord
from etl_assets.declare.endpoints import (
    Bare,
    NextLink,
    ODataList,
    Offset,
    Paging,
    Records,
    SearchAfter,
    Single,
    Values,
)
from etl_assets.declare.rest import RestTable
from etl_assets.readers.rest import jsonb
from etl_assets.readers.rest.json_paths import Leaf, path_decoder
from etl_assets.readers.rest.records import DocumentParser
from etl_assets.readers.rest.unreadable import UnreadableAnswer

T = TypeVar("T")
Place = list[int | float | str | None]
"""A record's place in a list: the values that the list is sorted by."""

ODATA_FORMS = (
    ("value", "@odata.nextLink", "@odata.count"),
    ("Items", "NextPageLink", "Count"),
    ("items", "nextPageLink", "count"),
)
"""Where the objects of OData's forms have their records, the link to the next page, and the count."""
_ARRAY = re.compile(rb"\s*\[")


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a paginated list, parsed."""

    total_count: int | None
    """Of the whole list, as this page has it; None where it says none."""
    offset: int | None
    """Where the service says that the page begins."""
    next_link: str | None
    """Where the service says that the next page is."""
    first_key: Key | None
    documents: list[Document]
    rejected: list[RejectedRecord]
    is_array: bool = False
    """Whether the answer is the array of records itself, where it could be more."""
    place: Place | None = None
    """What its last record says of its place in the list."""

    @property
    def size(self) -> int:
        """Records in this page."""
        return len(self.documents) + len(self.rejected)

    @property
    def keys(self) -> list[Key]:
        """Of every record of which it could be read, kept or not."""
        return [each.key for each in self.documents] + [each.key for each in self.rejected if each.key is not None]


@dataclass(frozen=True, slots=True)
class _Body:
    """A body cut apart."""

    records: list[bytes]
    count: int | None = None
    offset: int | None = None
    next_link: str | None = None
    is_array: bool = False
    place: Place | None = None
    is_repaired: bool = False
    """Whether something in it is no JSON; its records are as they came."""


class EnvelopeParser:
    """Parses the records of one table, or of one parent's list of it, out of response envelopes. Thread-safe."""

    def __init__(self, table: RestTable, parent: Mapping[str, KeyValue] | None = None) -> None:
        """Nothing is parsed yet; raises EtlError where the parent's row does not give its part of the key."""
        self._table = table
        self._records = DocumentParser(table, parent)

    @cached_property
    def _page(self) -> "_Form | _ODataForm":
        envelope = self._table.endpoint.envelope
        if isinstance(envelope, ODataList):
            return _ODataForm(self._table.name)
        return _Form(self._table.name, envelope, self._table.endpoint.paging)

    @cached_property
    def _single(self) -> "_Form":
        return _Form(self._table.name, self._table.lookup or Single())

    def parse_page(self, body: bytes, *, first_position: int = 0) -> ListPage:
        """Cut a page into records.

        Args:
            body: JSON in UTF-8.
            first_position: Position of its first record, for those that are rejected.

        Raises:
            ValueError: The body is broken: no JSON, or no UTF-8 and no record is to blame for it.
            UnreadableAnswer: It is JSON of another form, or says no count where one is declared to end the list.
        """
        cut = self._page.cut(body)
        check_jsonb = cut.is_repaired or jsonb.may_be_rejected(body)
        documents: list[Document] = []
        rejected: list[RejectedRecord] = []
        for position, raw in enumerate(cut.records, first_position):
            record = self._records.parse(raw, position, check_jsonb=check_jsonb)
            if isinstance(record, Document):
                documents.append(record)
            else:
                rejected.append(record)
        if check_jsonb and not jsonb.is_utf8(body) and all(jsonb.is_utf8(raw) for raw in cut.records):
            raise ValueError(jsonb.INVALID_UTF8)
        starts_with = rejected if rejected and rejected[0].position == first_position else documents
        first_key = starts_with[0].key if starts_with else None
        return ListPage(cut.count, cut.offset, cut.next_link, first_key, documents, rejected, cut.is_array, cut.place)

    def parse_single(self, body: bytes) -> Document | RejectedRecord:
        """Parse the record of an answer that holds one, as the table's `lookup` has it; raises as `parse_page`."""
        return self._records.parse(self._single.cut(body).records[0], 0, check_jsonb=True)


class _Form:
    """The declared form of an answer."""

    def __init__(self, table: str, envelope: Records | Bare | Single | Values, paging: Paging | None = None) -> None:
        self._table = table
        self._field = envelope.field if isinstance(envelope, Values) else None
        self._is_single = isinstance(envelope, Single)
        self._at = "" if isinstance(envelope, Bare) else envelope.at
        self._count = paging.count if isinstance(paging, Offset | NextLink | SearchAfter) else None
        self._offset = paging.echo if isinstance(paging, Offset) else None
        self._next = paging.at if isinstance(paging, NextLink) else None
        # With a link, its absence ends the list, and a count that is not said is not missed.
        self._needs_count = bool(self._count) and isinstance(paging, Offset | SearchAfter)
        self._place = paging.at if isinstance(paging, SearchAfter) else None
        records: Any = msgspec.Raw if self._is_single else list[msgspec.Raw]
        self._paths = None
        self._decode: Callable[[bytes], Any]
        if self._at:
            leaves = [Leaf(self._at, records)]
            leaves += [Leaf(self._count, int, self._needs_count)] if self._count else []
            leaves += [Leaf(self._offset, int, is_required=False)] if self._offset else []
            leaves += [Leaf(self._next, str, is_required=False)] if self._next else []
            # Not strict: a count that comes as a string of digits is a count.
            self._paths = path_decoder(*leaves, strict=False)
            self._decode = self._paths.decode
        else:
            self._decode = msgspec.json.Decoder(records).decode

    def cut(self, body: bytes) -> _Body:
        """Cut a body into records and what is said beside them; raises as `EnvelopeParser.parse_page`."""
        try:
            decoded, text = _decode(body, self._decode)
        except msgspec.ValidationError as error:
            raise self._other_form(str(error)) from None
        found = self._paths.value(decoded, self._at) if self._paths else decoded
        pieces: list[msgspec.Raw] = [found] if self._is_single else found
        records = _records(pieces, text, body)
        if self._field is not None:
            name = msgspec.json.encode(self._field)
            records = [b"{" + name + b":" + raw + b"}" for raw in records]
        if self._paths is None:
            if self._is_single and not records[0].startswith(b"{"):
                raise self._other_form("it is no object")
            return _Body(records, is_repaired=text is not body)
        return _Body(
            records,
            self._paths.value(decoded, self._count),
            self._paths.value(decoded, self._offset),
            self._paths.value(decoded, self._next) or None,
            place=self._read_place(bytes(pieces[-1])) if pieces else None,
            is_repaired=text is not body,
        )

    def _read_place(self, record: bytes) -> Place | None:
        """What a record says of its place; None where nothing is declared, or it is silent."""
        if self._place is None:
            return None
        paths = path_decoder(Leaf(self._place, Place, is_required=False))
        try:
            found: Place | None = paths.value(paths.decode(record), self._place)
        except msgspec.ValidationError:
            return None
        return found

    def _other_form(self, found: str) -> UnreadableAnswer:
        whole = "{...}" if self._is_single else "[...]"
        expected = ", ".join(path for path in (self._at or whole, self._count, self._next) if path)
        hint = " Without a count nothing tells whether all has come." if self._needs_count else ""
        return UnreadableAnswer(f"{self._table}: the answer is not of the form {expected} ({found.rstrip('.')}).{hint}")


class _ODataForm:
    """Any of OData's forms; each answer tells which."""

    def __init__(self, table: str) -> None:
        self._table = table
        kinds = (list[msgspec.Raw], str, int)
        paths = [pair for form in ODATA_FORMS for pair in zip(form, kinds, strict=True)]
        self._paths = path_decoder(*(Leaf(path, kind, is_required=False) for path, kind in paths), strict=False)
        self._decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode

    def cut(self, body: bytes) -> _Body:
        """As `_Form.cut`."""
        try:
            if _ARRAY.match(body):
                pieces, text = _decode(body, self._decode_array)
                return _Body(_records(pieces, text, body), is_array=True, is_repaired=text is not body)
            decoded, text = _decode(body, self._paths.decode)
        except msgspec.ValidationError as error:
            raise self._other_form(str(error)) from None
        forms = [form for form in ODATA_FORMS if self._paths.value(decoded, form[0]) is not None]
        if len(forms) != 1:
            raise self._other_form("it has several lists" if forms else "it has no list")
        at, link, count = forms[0]
        return _Body(
            _records(self._paths.value(decoded, at), text, body),
            self._paths.value(decoded, count),
            next_link=self._paths.value(decoded, link) or None,
            is_repaired=text is not body,
        )

    def _other_form(self, found: str) -> UnreadableAnswer:
        expected = " or ".join(at for at, _, _ in ODATA_FORMS)
        return UnreadableAnswer(
            f"{self._table}: the answer is not of the form {expected} or [...] ({found.rstrip('.')})."
        )


def _decode(body: bytes, decode: Callable[[bytes], T]) -> tuple[T, bytes]:
    """Decode a body; with it comes the text that was decoded: the body, or one as long that the decoder takes.

    The decoder refuses a whole page for half of a surrogate pair, a NaN or a raw tab in one record.
    """
    try:
        return decode(body), body
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        text = jsonb.repair(body)
        if text == body:
            raise
    return decode(text), text


def _records(pieces: Sequence[msgspec.Raw], text: bytes, body: bytes) -> list[bytes]:
    """The records as the body spells them, cut out of the text that was decoded in its place."""
    return list(map(bytes, pieces)) if text is body else _original_bytes(pieces, text, body)


def _original_bytes(records: Sequence[msgspec.Raw], text: bytes, body: bytes) -> list[bytes]:
    """The records as the body spells them, which were decoded from a text that differs from it, but not in length."""
    originals, end = [], 0
    for record in map(bytes, records):
        begin = text.index(record, end)
        end = begin + len(record)
        originals.append(body[begin:end])
    return originals
