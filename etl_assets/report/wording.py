"""Numbers, moments and errors as a page shows them."""

import re
from datetime import UTC, datetime, timedelta

UNITS = ("B", "kB", "MB", "GB", "TB")
THOUSAND = 1024
LONGEST_ERROR = 200
_COUNTED = "rows?|records?|columns?|tables?|files?|requests?|seconds?|minutes?|hours?|days?|times|bytes|tries|of|per"
_VALUES = re.compile(
    r"'[^']*'|\"[^\"]*\""  # quoted
    r"|\b[0-9a-f]{8}-[0-9a-f-]{27}\b"
    rf"|(?<![\w-])(?<!\d[.,:])\d+(?![\w-]|[.,:]\d|%| (?:{_COUNTED})\b)"  # a number that counts nothing
)


def format_size(size: float) -> str:
    """Bytes as people read them, such as `806.0 MB`."""
    for unit in UNITS[:-1]:
        if size < THOUSAND:
            return f"{size:,.0f} {unit}" if unit == UNITS[0] else f"{size:,.1f} {unit}"
        size /= THOUSAND
    return f"{size:,.1f} {UNITS[-1]}"


def format_moment(moment: datetime | None) -> str:
    """A moment in UTC, to the minute; `never` where there is none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "never"


def format_age(age: timedelta | None) -> str:
    """A time that has passed, in its largest unit: `3.5 hours`."""
    if age is None:
        return "never"
    hours = age / timedelta(hours=1)
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.1f} hours" if hours < 72 else f"{hours / 24:.1f} days"  # noqa: PLR2004 (three days)


def format_seconds(seconds: float) -> str:
    """A duration: `0.3 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004


def format_speed(number: float | None, seconds: float) -> str:
    """So many a second; `-` of nothing, or in no time."""
    return f"{number / seconds:,.0f}" if number and seconds else "-"


def format_share(part: float, whole: float) -> str:
    """A share in per cent, never rounded up to all; `-` of nothing."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    text = f"{percent:.1f}"
    return f"{text if part == whole or text != '100.0' else '>99.9'} %"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 table`, `1,200 tables`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def error_without_values(text: str | None) -> str:
    """The first words of an error, on one line, without what is quoted and numbers that count nothing.

    An error names tables, and may name a record by its key: that is for those who may read the ledger.
    """
    shown = _VALUES.sub("…", " ".join((text or "").split()))
    return shown if len(shown) <= LONGEST_ERROR else f"{shown[:LONGEST_ERROR]}…"
