"""COPY documents in binary form: a jsonb on the wire is one byte and the text that the service sent."""

import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import repeat
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.document_reader import Document, Key, KeyValue
from etl_assets.warehouse.copy import copy_in, copy_line

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_FIELDS = struct.Struct(">h")
_LENGTH = struct.Struct(">i")
_DATE = struct.Struct(">ii")
_JSON_HEAD = struct.Struct(">iB")
_UUID = struct.Struct(">i16s")
_JSONB_VERSION = 1
_NULL = _LENGTH.pack(-1)
_DATE_EPOCH = date(2000, 1, 1).toordinal()


def binary_copy(
    documents: Sequence[Document],
    types: Sequence[str],
    *,
    constants: Sequence[str] = (),
    parents: Sequence[str] = (),
    batch: UUID | None = None,
    with_date: bool = True,
) -> Iterator[bytes]:
    """Encode rows as one block: texts, the key, a date, a jsonb, and the batch's uuid.

    Args:
        documents: The records.
        types: Of the key's columns.
        constants: Texts before the key that are the same in all.
        parents: One text a record, behind these; none where empty.
        batch: Behind the document; left out where None.
        with_date: Whether the date is there; null where a record has none.
    """
    fields = len(constants) + bool(parents) + len(types) + with_date + 1 + (batch is not None)
    first = _FIELDS.pack(fields) + b"".join(map(_encode_text, constants))
    heads = {parent: first + _encode_text(parent) for parent in {*parents}} if parents else {"": first}
    last = _UUID.pack(16, batch.bytes) if batch else b""
    encode_key = _key_encoder(types)
    rows = [_HEADER]
    for parent, each in zip(parents or repeat(""), documents, strict=False):
        rows += (heads[parent], encode_key(each.key))
        if with_date:
            rows.append(_encode_date(each.slice) if each.slice else _NULL)
        rows += (_JSON_HEAD.pack(len(each.raw) + 1, _JSONB_VERSION), each.raw, last)
    rows.append(_TRAILER)
    yield b"".join(rows)


def copy_documents(
    connection: psycopg.Connection,
    statement: sql.Composed,
    documents: Sequence[Document],
    types: Sequence[str],
    *,
    parents: Sequence[str] = (),
    with_date: bool = True,
) -> dict[int, str]:
    """COPY the parent, the key, the date and the document of each record into a table, those that PostgreSQL can read.

    Args:
        connection: Its transaction, if one is begun, goes on.
        statement: `copy ... from stdin`, with the columns in that order and without options.
        documents: The records.
        types: Of the key's columns.
        parents: One text a record, before the key; none where empty.
        with_date: Whether there is a date among the columns.

    Returns:
        Those that PostgreSQL could not read, by their position in `documents`, with its reason; the others are in.
    """
    if not documents:
        return {}
    try:
        with connection.transaction():
            block = binary_copy(documents, types, parents=parents, with_date=with_date)
            copy_in(connection, statement + sql.SQL(" (format binary)"), block)
    except psycopg.DataError:
        # Some value fits no jsonb, a number beyond numeric's range say. The text form tells which.
        statement += sql.SQL(" (on_error ignore, log_verbosity verbose)")
        lines = (
            _text_line([parent] if parents else [], each, with_date=with_date)
            for parent, each in zip(parents or repeat(""), documents, strict=False)
        )
        skipped = copy_in(connection, statement, lines).skipped
        return {line - 1: "PostgreSQL cannot keep it as JSON" for line in skipped}
    return {}


def _text_line(parent: list[str], document: Document, *, with_date: bool) -> bytes:
    day = [document.slice.isoformat() if document.slice else None] if with_date else []
    return copy_line([*parent, *map(str, document.key), *day, document.raw.decode()])


def _key_encoder(types: Sequence[str]) -> Callable[[Key], bytes]:
    """Most keys are whole numbers, which one pack writes."""
    if set(types) == {"bigint"}:
        pack = struct.Struct(">" + "iq" * len(types)).pack
        return lambda key: pack(*(part for value in key for part in (8, value)))
    encoders = [_ENCODERS[kind] for kind in types]
    return lambda key: b"".join(encode(value) for encode, value in zip(encoders, key, strict=True))


def _encode_text(value: KeyValue) -> bytes:
    text = str(value).encode()
    return _LENGTH.pack(len(text)) + text


def _encode_date(value: KeyValue) -> bytes:
    if not isinstance(value, date):
        raise TypeError(f"{type(value).__name__} is no date")
    return _DATE.pack(4, value.toordinal() - _DATE_EPOCH)


def _encode_uuid(value: KeyValue) -> bytes:
    return _UUID.pack(16, value.bytes if isinstance(value, UUID) else UUID(str(value)).bytes)


_ENCODERS: dict[str, Callable[[KeyValue], bytes]] = {
    "bigint": lambda value: struct.pack(">iq", 8, value),
    "text": _encode_text,
    "uuid": _encode_uuid,
    "date": _encode_date,
}
