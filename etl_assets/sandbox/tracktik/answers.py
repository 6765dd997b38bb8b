"""Answers as bytes: JSON whose money keeps its two decimals, the envelope of a list, and what a refusal says."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from json.encoder import encode_basestring
from types import NoneType
from typing import Any

from etl_assets.sandbox.tracktik.money import Number
from etl_assets.sandbox.transport import Answer


def rendered(value: Any) -> str:
    """A value as JSON. Decimals keep the decimals that they have, which no float would."""
    return _WRITERS[type(value)](value)


def problem(status: int, message: str, name: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal; its body says what is wrong, and which field is."""
    body: dict[str, object] = {"status": status, "title": _TITLES.get(status, "Error"), "detail": message}
    if name:
        body["field"] = name
    return Answer(status, json.dumps({"meta": {"resource": None}, "error": body}).encode(), headers or {})


def envelope(
    documents: Sequence[bytes], *, count: int, limit: int, offset: int, request: Mapping[str, object], resource: str
) -> bytes:
    """A page of a list. `count` is of the whole list, `itemCount` of this page."""
    meta = {
        "count": count,
        "itemCount": len(documents),
        "limit": limit,
        "offset": offset,
        "request": request,
        "security": {"granted": True},
        "debug": [],
        "resource": resource,
    }
    return b'{"meta":' + json.dumps(meta).encode() + b',"data":[' + b",".join(documents) + b"]}"


def single(document: bytes, *, request: Mapping[str, object], resource: str) -> bytes:
    """One document."""
    meta = {"request": request, "security": {"granted": True}, "debug": [], "resource": resource}
    return b'{"meta":' + json.dumps(meta).encode() + b',"data":' + document + b"}"


@cache
def _key(name: str) -> str:
    return encode_basestring(name) + ":"


def _object(value: Mapping[str, Any]) -> str:
    return "{" + ",".join([_key(name) + _WRITERS[type(each)](each) for name, each in value.items()]) + "}"


def _array(value: Sequence[Any]) -> str:
    return "[" + ",".join([rendered(each) for each in value]) + "]"


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: str,
    bool: lambda value: "true" if value else "false",
    NoneType: lambda value: "null",
    Decimal: str,
    Number: str,
    dict: _object,
    list: _array,
}
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
