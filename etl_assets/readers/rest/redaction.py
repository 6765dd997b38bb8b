"""Redaction: a record without what must not be loaded, and what a message or the quarantine may show of one.

`never_load` leaves a record before it leaves the reader, so that no temporary table, log or finding can hold it. Names
are compared whatever their case, and a list on the way is gone through: a service that writes `SSN` for `ssn`, or sends
two accounts for one, gives nothing away.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from etl_assets.declare.rest import RestTable
from etl_assets.readers.rest import jsonb
from etl_assets.readers.rest.json_paths import split_path

MAX_RAW_LENGTH = 2000
"""Characters of a rejected record that are kept."""
MAX_OUTLINE_DEPTH = 8
"""Levels of a record that an outline goes down to."""

_NAMED_VALUE = rb"""(["'<](?:%s)["'>]\s*[:=]?\s*)(?:"(?:[^"\\]|\\.)*"?|[^"\s,}\]<][^,}\]<]*)"""
"""A name in JSON or XML, and the value behind it, to its end or to that of the text."""

Names = dict[str, Any]
"""A tree of names in one case; what ends there is removed."""


class Redaction:
    """What one table's records may show. Thread-safe."""

    def __init__(self, table: RestTable) -> None:
        paths = {field.name: field.path for field in (*table.key_fields, *table.parsed_fields)}
        self._personal = [paths.get(name) or name for name in table.personal]
        self._is_personal = table.personal_document
        self._never_load = _tree(table.never_load)
        self._last_names = {split_path(path)[-1] for path in table.never_load}
        self._hidden = _tree([*table.never_load, *self._personal])

    def strip(self, raw: bytes) -> bytes:
        """The record without what must not be loaded; the rest of it byte for byte, where nothing is removed.

        Raises:
            ValueError: It is no JSON, so nobody can tell what is in it.
        """
        return _without(raw, self._never_load) if self._never_load else raw

    def conceal(self, excerpt: bytes) -> bytes:
        """The beginning of an answer that cannot be read, without the values behind the names that are not loaded."""
        if not self._last_names:
            return excerpt
        names = b"|".join(re.escape(name.encode()) for name in sorted(self._last_names))
        return re.sub(_NAMED_VALUE % names, rb"\1***", excerpt, flags=re.IGNORECASE)

    def hides(self, path: str | None) -> bool:
        """Whether the value at a path is not to be shown; of a document that is not to be, any value."""
        return self._is_personal or (path is not None and _holds(self._hidden, path))

    def show(self, raw: bytes) -> str:
        """What the quarantine may hold of a record: all of it, cut short, or of a person's how it is made."""
        if not self._is_personal and not self._hidden:
            return preview(raw, MAX_RAW_LENGTH)
        try:
            text = jsonb.repair(raw)
            if self._is_personal:
                shown = msgspec.json.encode(_outline(msgspec.json.decode(text), MAX_OUTLINE_DEPTH))
            else:
                shown = _without(text, self._hidden)
        except (ValueError, RecursionError):
            return f"(of a record with personal values nothing is shown that cannot be read; {len(raw):,} bytes)"
        return preview(shown, MAX_RAW_LENGTH)


def preview(raw: bytes, length: int) -> str:
    """The beginning of what came, as a text."""
    text = raw[: length + 1].decode(errors="backslashreplace")
    return text if len(raw) <= length else f"{text[:length]}..."


def _tree(paths: Iterable[str]) -> Names:
    tree: Names = {}
    for path in paths:
        node = tree
        for name in split_path(path.casefold()):
            node = node.setdefault(name, {})
        node.clear()
    return tree


def _holds(tree: Mapping[str, Any], path: str) -> bool:
    node: Any = tree
    for name in split_path(path.casefold()):
        if name not in node:
            return False
        if not (node := node[name]):
            return True
    return False


_folded = lru_cache(10_000)(str.casefold)
"""A field's name in lower case: the same names come in every record."""


def _without(raw: bytes, names: Names) -> bytes:
    """The JSON without these names; what is not on the way to one is not looked into."""
    match raw.lstrip()[:1]:
        case b"{":
            found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            known = {name: names[_folded(name)] for name in found if _folded(name) in names}
            if not known:
                return raw
            kept = {name: value for name, value in found.items() if known.get(name, True) != {}}
            inner = {name: _without(bytes(kept[name]), below) for name, below in known.items() if below}
            if len(kept) == len(found) and all(bytes(kept[name]) == value for name, value in inner.items()):
                return raw
            return msgspec.json.encode({**kept, **{name: msgspec.Raw(value) for name, value in inner.items()}})
        case b"[":
            items = msgspec.json.decode(raw, type=list[msgspec.Raw])
            left = [_without(bytes(item), names) for item in items]
            if all(bytes(item) == value for item, value in zip(items, left, strict=True)):
                return raw
            return msgspec.json.encode([msgspec.Raw(value) for value in left])
        case _:
            msgspec.json.decode(raw, type=msgspec.Raw)
            return raw


def _outline(value: object, depth: int) -> object:
    """A record's names, and of its values the kinds: enough to see what is unlike the others, and nobody in it."""
    kinds = {bool: "boolean", int: "number", float: "number", type(None): None}
    match value:
        case str():
            return f"text of {len(value):,}"
        case dict() if depth:
            return {name: _outline(each, depth - 1) for name, each in value.items()}
        case list() if depth:
            return [*(_outline(each, depth - 1) for each in value[:1]), *[f"{len(value):,} in all"] * (len(value) > 1)]
        case _:
            return kinds.get(type(value), "more")
