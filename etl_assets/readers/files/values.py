"""Value parsing: dates, times and numbers whose text PostgreSQL would misread or must not be trusted with.

Most fields are *plain*: digits, date and time marks, AM or PM, no UTC offset. They go to PostgreSQL as they are.
The others are read here and go on in the one canonical spelling: ISO 8601 on the site's wall clock, numbers without
thousands marks. Words such as `now` or `infinity`, which PostgreSQL takes for times, are refused.

The date that a file is sliced by is parsed here whatever its spelling (`SliceDateParser`), so that the sensor, which
asks no database, and the load can never disagree about it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from etl_assets.declare.feeds import Feed
from etl_assets.errors import FileRefused

BLANKS = " \t\n\r\f\v\xa0"
"""What is trimmed from both ends of a value."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
            "sep sept september", "oct october", "nov november", "dec december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_NAME = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?[ ]+)?"
_HALF = r"[ap](?:m|\.[ ]?m\.?)"
_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?"
    rf"(?:[ ]*(?P<half>{_HALF}))?"
    r"(?:[ ]*(?P<offset>z|utc|gmt|[+-]\d{1,2}(?::?\d{2}(?::?\d{2})?)?))?"
)
_COMPACT = (
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})t(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})"
    r"(?:\.(?P<fraction>\d+))?(?P<offset>z|[+-]\d{2}(?::?\d{2})?)?"
)
_TEXT_DATES = (
    rf"(?P<day>\d{{1,2}})(?P<s>[ -]|[ ]?/)?(?P<name>{_MONTH})\.?(?(s)[ /-]|[ ]?)(?P<year>\d{{4}}|\d{{2}})",
    rf"(?P<name>{_MONTH})\.?[ -](?P<day>\d{{1,2}})(?:,[ ]?|[ ]|-)(?P<year>\d{{4}})",
    rf"(?P<year>\d{{4}})[ -]?(?P<name>{_MONTH})[ -]?(?P<day>\d{{1,2}})",
)
_DIGIT_DATES = (
    r"(?P<year>\d{4})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
)
_DATE_ORDER_PATTERNS = {
    "ymd": r"(?P<year>\d{2})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<day>\d{1,2})",
    "mdy": r"(?P<month>\d{1,2})(?P<s>[-/.])(?P<day>\d{1,2})(?P=s)(?P<year>\d{4}|\d{2})",
    "dmy": r"(?P<day>\d{1,2})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<year>\d{4}|\d{2})",
}
_TIME_ONLY = re.compile(_TIME, re.IGNORECASE | re.ASCII)
_PLAIN_TIMESTAMP = re.compile(r"[-0-9 :./]*(?:[Tt][-0-9 :./Tt]*|[APMapm][-0-9 :./APMapm]*)?", re.ASCII)
_PLAIN_TIME = re.compile(r"[0-9 :./APMapm]*", re.ASCII)
_HALF_MARK = re.compile("[APMapm]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WITH_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII)
_MAX_NUMBER_LENGTH = 1_000
MAX_KEY_BYTES = 800
"""Bytes of a key column; an index entry of PostgreSQL holds 2,704 in all."""


class ValueParseError(ValueError):
    """A value that cannot be parsed as its column's type."""


@dataclass(frozen=True)
class DateTimeParser:
    """Parses dates and times of one feed, as the wall clock of its site."""

    order: str
    zone: ZoneInfo
    patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def for_feed(cls, feed: Feed, column: str | None = None) -> "DateTimeParser":
        """The parser for a feed's dates; for one column where the feed has a format for it.

        Raises:
            FileRefused: The feed's time zone or format is none.
        """
        try:
            zone = ZoneInfo(feed.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise FileRefused(f"feed {feed.name}: there is no time zone {feed.time_zone!r}; mend the feed") from None
        date_format = feed.formats.get(column) if column else None
        if date_format:
            return cls(feed.date_order, zone, (_strptime_pattern(date_format, feed),))
        dates = (*_DIGIT_DATES, _DATE_ORDER_PATTERNS[feed.date_order], *_TEXT_DATES)
        patterns = [rf"{_DAY_NAME}{each}(?:(?:[ ]+|t){_TIME})?" for each in dates] + [_COMPACT]
        return cls(feed.date_order, zone, tuple(re.compile(each, re.IGNORECASE | re.ASCII) for each in patterns))

    def read(self, text: str) -> datetime:
        """Parse to the wall clock of the site; midnight where there is a date only.

        Raises:
            ValueParseError: It is no date of this feed, or one that does not exist.
        """
        for pattern in self.patterns:
            found = pattern.fullmatch(text)
            if found:
                try:
                    return self._to_datetime(found.groupdict())
                except (ValueError, OverflowError) as error:
                    raise ValueParseError(str(error)) from None
        raise ValueParseError("it is written in no way we know")

    def _to_datetime(self, parts: dict[str, str | None]) -> datetime:
        name = parts.get("name")
        month = _MONTHS[name.lower()] if name else int(parts.get("month") or 1)
        day = date(_full_year(parts.get("year") or ""), month, int(parts.get("day") or 1))
        if not parts.get("hour"):
            return datetime.combine(day, time())
        return _to_site_time(_combine(day, parts), parts.get("offset"), self.zone)


def _full_year(year: str) -> int:
    """Two digits mean what they mean to PostgreSQL: 70 to 99 are the 1900s."""
    return int(year) if len(year) > 2 else int(year) + (2000 if int(year) < 70 else 1900)  # noqa: PLR2004


def _combine(day: date, parts: dict[str, str | None]) -> datetime:
    hour = int(parts.get("hour") or 0)
    half = (parts.get("half") or "").lower()
    if half:
        if hour > 12:  # noqa: PLR2004
            raise ValueError("the hour of a half day is over 12")
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    moment = datetime.combine(day, time(hour, int(parts.get("minute") or 0), int(parts.get("second") or 0)))
    return moment + timedelta(microseconds=round(float(f"0.{parts.get('fraction') or 0}") * 1_000_000))


def _to_site_time(moment: datetime, offset: str | None, zone: ZoneInfo) -> datetime:
    if not offset:
        return moment
    if offset[0] not in "+-":
        away = timedelta()
    else:
        digits = offset[1:].replace(":", "")
        digits = digits if len(digits) % 2 == 0 else f"0{digits}"
        hours, minutes, seconds = (int(digits[at : at + 2] or 0) for at in (0, 2, 4))
        if hours > 15 or minutes > 59 or seconds > 59:  # noqa: PLR2004
            raise ValueError("there is no such UTC offset")
        away = timedelta(hours=hours, minutes=minutes, seconds=seconds) * (-1 if offset[0] == "-" else 1)
    return (moment - away).replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


_DIRECTIVES = {
    "Y": r"(?P<year>\d{4})", "y": r"(?P<year>\d{2})", "m": r"(?P<month>\d{1,2})", "d": r"(?P<day>\d{1,2})",
    "e": r"[ ]?(?P<day>\d{1,2})", "b": rf"(?P<name>{_MONTH})\.?", "B": rf"(?P<name>{_MONTH})",
    "H": r"(?P<hour>\d{1,2})", "I": r"(?P<hour>\d{1,2})", "M": r"(?P<minute>\d{1,2})", "S": r"(?P<second>\d{1,2})",
    "f": r"(?P<fraction>\d+)", "p": rf"(?P<half>{_HALF})", "z": r"(?P<offset>z|[+-]\d{2}:?\d{2}(?::?\d{2})?)",
    "a": r"[a-z]{3}", "A": r"[a-z]{6,9}", "%": "%",
}  # fmt: skip


_DIRECTIVE_ALIASES = {"%D": "%m/%d/%y", "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%h": "%b"}


def _strptime_pattern(date_format: str, feed: Feed) -> re.Pattern[str]:
    written = date_format
    for short, long in _DIRECTIVE_ALIASES.items():
        written = written.replace(short, long)
    pattern = ""
    for piece in re.findall(r"%.|\s+|[^%\s]", written):
        if piece[0] == "%":
            if piece[1] not in _DIRECTIVES:
                raise FileRefused(
                    f"feed {feed.name}: {piece} in the format {date_format!r} is not known; mend the feed"
                )
            pattern += _DIRECTIVES[piece[1]]
        else:
            pattern += r"[ ]+" if piece.isspace() else re.escape(piece)
    try:
        return re.compile(pattern, re.IGNORECASE | re.ASCII)
    except re.error:
        raise FileRefused(f"feed {feed.name}: the format {date_format!r} names a part twice; mend the feed") from None


def strip_date_hyphens(text: str) -> str:
    """Strip the hyphens that stand where a date has them; one that is left belongs to a UTC offset."""
    for first, second in ((4, 7), (2, 5)):
        if text[first : first + 1] == "-" == text[second : second + 1]:
            return text[:first] + text[first + 1 : second] + text[second + 1 :]
    return text


def is_plain(text: str, kind: str, decimal: str) -> bool:
    """Whether PostgreSQL parses a value as we do, so that it needs no conversion.

    The scan of whole blocks (`scan.py`) asks the same of bytes; tests hold the two together.
    """
    if kind in {"date", "time", "timestamp", "timestamptz"} and "." in text and _HALF_MARK.search(text):
        return False  # `p.m.`, which PostgreSQL does not know
    if kind in {"date", "timestamp", "timestamptz"}:
        return bool(_PLAIN_TIMESTAMP.fullmatch(text)) and "-" not in strip_date_hyphens(text)
    if kind == "time":
        return bool(_PLAIN_TIME.fullmatch(text))
    if kind in {"integer", "bigint"}:
        return not text.strip("0123456789-")
    if kind == "numeric":
        return not text.strip("0123456789-" if decimal == "," else "0123456789-.")
    return True


def value_parser(
    feed: Feed, column: str, kind: str, *, slices: bool = False, key: bool = False
) -> Callable[[str], str] | None:
    """The parser of a column's values, to text that PostgreSQL reads as we do; None where any text will do.

    Args:
        feed: Says the order of dates, the zone, the decimal mark and the formats.
        column: The column's name.
        kind: Its type.
        slices: Whether the file is sliced by it: then each value is read here.
        key: Whether it is part of the key: then its text must fit into an index.

    Returns:
        A function that raises ValueParseError for an invalid value.
    """
    if kind in {"integer", "bigint", "numeric"}:
        return _number_parser(kind, feed.decimal)
    if kind not in {"date", "time", "timestamp", "timestamptz"}:
        return _parse_key if key else None
    parser = DateTimeParser.for_feed(feed, column)
    always = slices or column in feed.formats
    zoned = kind == "timestamptz"

    def read(text: str) -> str:
        if not always and is_plain(text, kind, feed.decimal):
            return text
        if kind == "time":
            return _parse_time(text, parser, formatted=column in feed.formats)
        moment = parser.read(text)
        if kind == "date":
            return moment.date().isoformat()
        return moment.replace(tzinfo=parser.zone).isoformat(" ") if zoned else moment.isoformat(" ")

    return read


def _parse_key(text: str) -> str:
    if len(text.encode()) > MAX_KEY_BYTES:
        raise ValueParseError("it is too long for a key")
    return text


def _parse_time(text: str, parser: DateTimeParser, *, formatted: bool) -> str:
    found = None if formatted else _TIME_ONLY.fullmatch(text)
    if found and found["offset"]:
        raise ValueParseError("a UTC offset without a date")
    try:
        moment = _combine(date(2000, 1, 1), found.groupdict()) if found else _parse_formatted_time(text, parser)
    except ValueError as error:
        raise ValueParseError(str(error)) from None
    return moment.time().isoformat()


def _parse_formatted_time(text: str, parser: DateTimeParser) -> datetime:
    """Parse a time by the feed's format, which may leave out the date."""
    for pattern in parser.patterns:
        found = pattern.fullmatch(text)
        if found and not found.groupdict().get("year"):
            return _combine(date(2000, 1, 1), found.groupdict())
    return parser.read(text)


def _number_parser(kind: str, decimal: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if is_plain(text, kind, decimal):
            return text
        if len(text) > _MAX_NUMBER_LENGTH:
            raise ValueParseError("it is too long for a number")
        number = text if decimal == "." else text.translate(str.maketrans(".,", ",."))
        if _WITH_THOUSANDS.fullmatch(number):
            number = number.replace(",", "")
        elif not _NUMBER.fullmatch(number):
            raise ValueParseError("it is no number")
        return number if kind == "numeric" else _integer_text(number)

    return read


def _integer_text(number: str) -> str:
    """`90.0`, `9e1` -> `90`."""
    value = Decimal(number)
    if value != value.to_integral_value():
        raise ValueParseError("it is no whole number")
    return format(value, "f").partition(".")[0]


@dataclass
class SliceDateParser:
    """Parses the dates that a file is sliced by; each spelling once, cached."""

    parser: DateTimeParser
    nulls: frozenset[str]

    def __post_init__(self) -> None:
        self._read: dict[bytes, date | None] = {}

    @classmethod
    def for_feed(cls, feed: Feed, column: str) -> "SliceDateParser":
        """The parser for the slicing column of a feed's files."""
        return cls(DateTimeParser.for_feed(feed, column), feed.null_words)

    def __call__(self, spelling: bytes) -> date | None:
        """Parse a trimmed UTF-8 value; None where it is no date."""
        try:
            return self._read[spelling]
        except KeyError:
            if len(self._read) > 100_000:  # noqa: PLR2004 (times of day in it: no two rows are spelt alike)
                self._read.clear()
            return self._read.setdefault(spelling, self._parse(spelling.decode("utf-8", "replace")))

    def _parse(self, text: str) -> date | None:
        if text in self.nulls:
            return None
        try:
            return self.parser.read(text).date()
        except ValueParseError:
            return None


def trim_value(text: str, nulls: Sequence[str] | frozenset[str]) -> str:
    """Strip blanks around a value; empty where it is one of the feed's words for null."""
    text = text.strip(BLANKS)
    return "" if text in nulls else text
