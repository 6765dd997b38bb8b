"""Records: the key and the date of each, its document as the service's own bytes, or why it is rejected.

A record is not decoded; its key and its date are. One that cannot be kept does not cost the others of its page.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import msgspec

from etl_assets.declare.document_reader import Document, Key, KeyValue, RejectedRecord
from etl_assets.declare.rest import RestTable
from etl_assets.declare.tables import Field
from etl_assets.errors import EtlError
from etl_assets.readers.rest import jsonb
from etl_assets.readers.rest.json_paths import Leaf, PathDecoder, path_decoder, split_path
from etl_assets.readers.rest.redaction import Redaction, preview

MAX_VALUE_LENGTH = 50
"""Characters of the value that is at fault."""
REPEATED = "the list gives this record more than once; the first one is kept"
MAX_BIGINT_DIGITS = 19
"""Digits of a bigint."""
MIN_BIGINT, MAX_BIGINT = -(1 << 63), (1 << 63) - 1
"""What a bigint holds."""
MAX_TEXT_KEY_BYTES = 1000
"""Of one text in a key: PostgreSQL indexes no row of more than 2,704 bytes, and one such would end the whole load."""

_UUID = re.compile(
    r"(?:urn:uuid:)?(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})"
    r"|\{(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})\}",
    re.ASCII | re.IGNORECASE,
)
_MIDNIGHT = re.compile(r"(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_UNIX_TIME = re.compile(r"\d{9,11}(?:\.\d+)?", re.ASCII)
"""A Unix time in seconds, of 1973 or later: fewer digits may be a date without its dashes, more are milliseconds."""
_SLICE_EXPECTED = "a text that begins with YYYY-MM-DD"
_SLICE_OR_UNIX_EXPECTED = f"{_SLICE_EXPECTED}, or a Unix time in seconds"


class DocumentParser:
    """Parses the records of one table, or of one parent's list of it. Thread-safe."""

    def __init__(self, table: RestTable, parent: Mapping[str, KeyValue] | None = None) -> None:
        """Nothing is parsed yet.

        Args:
            table: Its key and the field of its date.
            parent: The key of the parent's row, by its columns, where the parent gives columns of the key.

        Raises:
            EtlError: The parent's row does not have what it should give.
        """
        self._redaction = Redaction(table)
        given = _given_values(table, parent)
        fields = [field for field in table.key_fields if field.name not in given and field.path]
        self._slice_by = table.window.slice_by if table.window else None
        self._allows_unix_time = table.window is not None and table.window.allows_unix_time
        leaves = [Leaf(field.path, KEY_KINDS[field.type].leaf) for field in fields]
        if self._slice_by:
            in_key = next((leaf.type for leaf in leaves if leaf.path == self._slice_by), None)
            leaves.append(Leaf(self._slice_by, in_key or (int | float | str if self._allows_unix_time else str)))
        head = path_decoder(*leaves)
        self._decode_head = head.decode
        self._slice_value = head.getter(self._slice_by) if self._slice_by else None
        self._parts = [_part_of_key(field, given, head) for field in table.key_fields]
        self._contents = [place for place, part in enumerate(self._parts) if isinstance(part, _Content)]
        self._slice_expected = _SLICE_OR_UNIX_EXPECTED if self._allows_unix_time else _SLICE_EXPECTED
        self._key_values = [(part.get, part.parse) for part in self._parts]

    def parse(self, raw: bytes, position: int, *, check_jsonb: bool) -> Document | RejectedRecord:
        """Take the key and the date out of a record.

        Args:
            raw: JSON, or what `jsonb.repair` makes JSON of.
            position: Its position in the list.
            check_jsonb: Whether it may hold something that PostgreSQL's jsonb rejects.
        """
        if check_jsonb and (reason := jsonb.jsonb_rejection(raw)):
            return self._reject(raw, position, reason)
        try:
            head = self._decode_head(raw)
        except msgspec.ValidationError:
            return self._reject(raw, position)
        key = tuple([parse(get(head)) for get, parse in self._key_values])
        for place in self._contents:
            key = (*key[:place], _digest(raw), *key[place + 1 :])
        day = self._parse_slice(self._slice_value(head)) if self._slice_value else None
        if None in key or (day is None and self._slice_value):
            return self._reject(raw, position)
        return Document(key, day, self._redaction.strip(raw))  # type: ignore[arg-type]  # none of its values is None

    def _parse_slice(self, value: float | str) -> date | None:
        text = str(value)
        if self._allows_unix_time and _UNIX_TIME.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC).date()
        return _parse_date(text[:10])

    def _reject(self, raw: bytes, position: int, reason: str | None = None) -> RejectedRecord:
        """Say why a record is rejected, looking at it closely; `reason` where that is known already."""
        text = jsonb.repair(raw)
        values = [part.found_in(text) for part in self._parts]
        for place in self._contents:
            values[place] = _digest(raw)
        if text != raw:
            values = [None if isinstance(value, str) and jsonb.is_repaired(value) else value for value in values]
        key: Key | None = tuple(value for value in values if value is not None)
        if key is None or len(key) < len(values):
            key = None
        field = None
        if reason is None and not _is_object(text):
            reason = "it is no object"
        elif reason is None:
            faulty = next((part.field for part, value in zip(self._parts, values, strict=True) if value is None), None)
            field = faulty.path if faulty else self._slice_by
            expected = KEY_KINDS[faulty.type].expected if faulty else self._slice_expected
            found = _find(text, field) if field else None
            reason = f"{self._value(field, bytes(found))} is not {expected}" if found else "it is missing"
        return RejectedRecord(key, position, field, reason or "", self._redaction.show(raw))

    def _value(self, path: str | None, found: bytes) -> str:
        return "what stands there" if self._redaction.hides(path) else preview(found, MAX_VALUE_LENGTH)


def reject_repeated(table: RestTable, document: Document, position: int) -> RejectedRecord:
    """Why a record is rejected whose key came before in the same list."""
    return RejectedRecord(document.key, position, None, REPEATED, Redaction(table).show(document.raw))


class _Given:
    """A column of the key that the records do not have: the parent gives it, or it is a constant."""

    field: Field | None = None

    def __init__(self, given: KeyValue) -> None:
        self._given = given

    def get(self, head: object) -> KeyValue:
        del head
        return self._given

    def parse(self, value: KeyValue) -> KeyValue | None:
        return value

    def found_in(self, text: bytes) -> KeyValue | None:
        del text
        return self._given


class _Read:
    """A column of the key that lies in the record."""

    def __init__(self, field: Field, head: PathDecoder) -> None:
        self._path = field.path
        self._leaf = KEY_KINDS[field.type].leaf
        self.field: Field | None = field
        self.get = head.getter(field.path)
        self.parse = KEY_KINDS[field.type].parse

    def found_in(self, text: bytes) -> KeyValue | None:
        found = _find(text, self._path)
        try:
            return None if found is None else self.parse(msgspec.json.decode(found, type=self._leaf))
        except ValueError:
            return None


class _Content(_Given):
    """A column of the key that is the record as it came; what stands here until it came means nothing."""

    def __init__(self) -> None:
        super().__init__(UUID(int=0))


_Part = _Given | _Read


def _part_of_key(field: Field, given: Mapping[str, KeyValue], head: PathDecoder) -> _Part:
    if field.name in given:
        return _Given(given[field.name])
    return _Read(field, head) if field.path else _Content()


def _digest(raw: bytes) -> UUID:
    return UUID(bytes=hashlib.md5(raw, usedforsecurity=False).digest())


def format_key(key: Key) -> str:
    """A key for a message."""
    return ", ".join(map(str, key))


def _given_values(table: RestTable, parent: Mapping[str, KeyValue] | None) -> dict[str, KeyValue]:
    """The columns of the key that the parent gives, held to their types, and those that are constant."""
    gives = table.per.gives if table.per else {}
    types = {field.name: KEY_KINDS[field.type].python for field in table.key_fields}
    given = {column: (parent or {}).get(source) for column, source in gives.items()}
    wrong = [f"{column} from {gives[column]}" for column, value in given.items() if type(value) is not types[column]]
    if wrong:
        raise EtlError(f"{table.name}: the parent's row does not give {', '.join(wrong)}, or as another type.")
    constants: Mapping[str, KeyValue] = table.endpoint.constants
    return {**constants, **{column: value for column, value in given.items() if value is not None}}


def _parse_bigint(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= MAX_BIGINT_DIGITS:
        value = int(value)
    return value if type(value) is int and MIN_BIGINT <= value <= MAX_BIGINT else None


def _parse_text(value: msgspec.Raw) -> str | None:
    """A string as it is meant, a number by its digits as they were sent; an empty text identifies nothing."""
    raw = bytes(value)
    if not raw.startswith(b'"'):
        return raw.decode() if raw[:1] in b"-0123456789" and len(raw) <= MAX_TEXT_KEY_BYTES else None
    try:
        text: str = msgspec.json.decode(raw) if b"\\" in raw else raw[1:-1].decode()
    except ValueError:
        return None
    return text if text and "\0" not in text and len(text.encode()) <= MAX_TEXT_KEY_BYTES else None


def _parse_uuid(value: str) -> UUID | None:
    return UUID(value) if _UUID.fullmatch(value) else None


def _parse_date_key(value: str) -> date | None:
    """A date, or its midnight: a date of which the time was cut off would make one key of many."""
    return _parse_date(value[:10]) if _MIDNIGHT.fullmatch(value[10:]) else None


@lru_cache(maxsize=4096)
def _parse_date(text: str) -> date | None:
    """A date as YYYY-MM-DD; `fromisoformat` alone would take a week, such as 2025-W22-5, as well."""
    try:
        return date.fromisoformat(text) if text[4:8:3] == "--" else None
    except ValueError:
        return None


@dataclass(frozen=True)
class _KeyKind:
    python: type
    leaf: Any
    """What msgspec takes it as."""
    parse: Callable[[Any], KeyValue | None]
    expected: str
    """For messages."""


KEY_KINDS: Mapping[str, _KeyKind] = {
    "bigint": _KeyKind(int, int | str, _parse_bigint, "a whole number that a bigint holds"),
    "text": _KeyKind(str, msgspec.Raw, _parse_text, f"a text of 1 to {MAX_TEXT_KEY_BYTES:,} bytes, or a number"),
    "uuid": _KeyKind(UUID, str, _parse_uuid, "a UUID"),
    "date": _KeyKind(date, str, _parse_date_key, "a date YYYY-MM-DD"),
}
"""How the types of a key are read, by their names in PostgreSQL."""

_decode_object = partial(msgspec.json.decode, type=dict[str, msgspec.Raw])


def _is_object(text: bytes) -> bool:
    try:
        _decode_object(text)
    except ValueError:
        return False
    return True


def _find(text: bytes, path: str) -> msgspec.Raw | None:
    """The JSON at a path; None where there is none."""
    found: msgspec.Raw | None = msgspec.Raw(text)
    for name in split_path(path):
        try:
            found = _decode_object(found).get(name) if found is not None else None
        except ValueError:
            return None
    return found
