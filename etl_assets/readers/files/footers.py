"""Footers: the lines that programs write below the rows, and underlines below the header. They are no rows."""

import re
from collections.abc import Sequence

_COUNT = r"\d[\d.,' ]*"
_FOOTER = re.compile(
    rf"""
    [^\w]*(?:
        {_COUNT}\s*(?:rows?|records?|lines?)(?:\s*\(s\)|\(s\))?
            (?:\s+(?:affected|selected|returned|fetched|exported|written|retrieved|in\s+set))?
        | (?:(?:rows?|records?|lines?)\s*(?:count)?|count)\W+{_COUNT}
        | (?:grand\s+|sub)?totals?(?:\s+(?:rows?|records?|cases|count))?\W*(?:{_COUNT}\W*)*
        | (?:trailer|trl|eof|end\s+of\s+(?:file|report|data|list))\W*(?:{_COUNT})?
    )[^\w]*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_UNDERLINE = frozenset("-=_+ ")
_MAX_LENGTH = 200
_MOST_WORDS = 3


def is_footer(fields: Sequence[str]) -> bool:
    """Whether the fields of a line that is no row are a footer (`(4 rows affected)`, `Total,4`) or an underline."""
    filled = [field.strip() for field in fields if field.strip()]
    text = " ".join(filled)
    if not filled or all(set(each) <= _UNDERLINE for each in filled):
        return bool(filled)
    return len(filled) <= _MOST_WORDS and len(text) <= _MAX_LENGTH and bool(_FOOTER.fullmatch(text))
