"""What the tables and columns of a database are called in staging: as the source calls them, in lower case.

SQL that was written for the source then runs unquoted. A name that cannot stay so is cut to leave room for `_` and the
first eight digits of the MD5 of the name as the source spells it, which no other name has: one that is longer than
PostgreSQL's names, that is reserved, or that differs from another one in case alone, and a table's that needs quotes.
"""

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import md5

MAX_BYTES = 63
"""PostgreSQL cuts a longer name, without an error."""
MAX_COLUMNS = 1_599
"""Columns of a staging table: PostgreSQL's limit is 1,600, and one is ours."""
RESERVED = (
    "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid",
    "etl_batch_id", "etl_is_new", "etl_overwrites", "etl_old_date", "etl_new_date",
)  # fmt: skip
"""PostgreSQL's own columns of every table; and ours, of staging and of what a load compares it with."""
_HASH_DIGITS = 8


def column_names(names: Iterable[str]) -> dict[str, str]:
    """The names in staging of all columns of a table."""
    ordered = list(names)
    lower = Counter(name.lower() for name in ordered)
    return {name: _in_staging(name, name.lower(), is_taken=lower[name.lower()] > 1) for name in ordered}


def table_names(names: Iterable[str]) -> dict[str, str]:
    """The names in staging of all tables of a source; they need no quotes."""
    ordered = list(names)
    lower = Counter(name.lower() for name in ordered)
    found = {}
    for name in ordered:
        plain = re.sub(r"[^a-z0-9_]|^(?=[0-9])", "_", name.lower())
        found[name] = _in_staging(name, plain, is_taken=lower[name.lower()] > 1 or plain != name.lower())
    return found


def _in_staging(name: str, wanted: str, *, is_taken: bool) -> str:
    encoded = wanted.encode()
    if not is_taken and len(encoded) <= MAX_BYTES and wanted not in RESERVED:
        return wanted
    digits = md5(name.encode(), usedforsecurity=False).hexdigest()[:_HASH_DIGITS]
    return f"{encoded[: MAX_BYTES - _HASH_DIGITS - 1].decode(errors='ignore')}_{digits}"
