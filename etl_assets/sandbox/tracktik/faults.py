"""Faults of the workforce API alone, beside those that every stand-in has."""

from collections.abc import Mapping

from etl_assets.sandbox.faults import COMMON_KINDS

KINDS: Mapping[str, str] = {
    **COMMON_KINDS,
    "token_expired": "answers 401, and the token is good no longer",
    "count_lies": "tells a `meta.count` that is higher by `by`, or lower where `by` is under nought",
    "list_shifts": "gives a page as if `by` documents had come in before it since the last page (under nought: left)",
}
TOKEN = "oauth2/access_token"  # noqa: S105 (where tokens are asked for)
