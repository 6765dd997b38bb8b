"""What a field's text means, where PostgreSQL's own reading of it would not do or could not be trusted.

Most fields are *plain*: digits, date and time marks, AM or PM, no UTC offset. They go to PostgreSQL as they are.
The others are read here and go on in the one canonical spelling: ISO 8601 on the site's wall clock, numbers without
thousands marks. Words such as `now` or `infinity`, which PostgreSQL takes for times, are refused.

The date that a file is sliced by is read here whatever its spelling (`DateReader`), so that the sensor, which asks no
database, and the load can never disagree about it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from etl_assets.declare.files import Feed
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
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?"
    r"(?:[ ]*(?P<half>[ap]m))?(?:[ ]*(?P<offset>z|utc|gmt|[+-]\d{1,2}(?::?\d{2}(?::?\d{2})?)?))?"
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
_ORDERED = {
    "ymd": r"(?P<year>\d{2})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<day>\d{1,2})",
    "mdy": r"(?P<month>\d{1,2})(?P<s>[-/.])(?P<day>\d{1,2})(?P=s)(?P<year>\d{4}|\d{2})",
    "dmy": r"(?P<day>\d{1,2})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<year>\d{4}|\d{2})",
}
_CLOCK_ONLY = re.compile(_CLOCK, re.IGNORECASE | re.ASCII)
_PLAIN_STAMP = re.compile(r"[-0-9 :./]*(?:[Tt][-0-9 :./Tt]*|[APMapm][-0-9 :./APMapm]*)?", re.ASCII)
_PLAIN_TIME = re.compile(r"[0-9 :./APMapm]*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII)
_LONGEST_NUMBER = 1_000
LONGEST_KEY = 800
"""Bytes of a key column; an index entry of PostgreSQL holds 2,704 in all."""


class UnreadableError(ValueError):
    """A value that cannot be turned to its column's type."""


@dataclass(frozen=True)
class Stamps:
    """Reads dates and times of one feed, as the wall clock of its site."""

    order: str
    zone: ZoneInfo
    patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, feed: Feed, column: str | None = None) -> "Stamps":
        """The reading of a feed's dates; of one column where the feed has a format for it.

        Raises:
            FileRefused: The feed's time zone or format is none.
        """
        try:
            zone = ZoneInfo(feed.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise FileRefused(f"feed {feed.name}: there is no time zone {feed.time_zone!r}; mend the feed") from None
        form = feed.formats.get(column) if column else None
        if form:
            return cls(feed.date_order, zone, (_strptime_pattern(form, feed),))
        dates = (*_DIGIT_DATES, _ORDERED[feed.date_order], *_TEXT_DATES)
        forms = [rf"{_DAY_NAME}{each}(?:(?:[ ]+|t){_CLOCK})?" for each in dates] + [_COMPACT]
        return cls(feed.date_order, zone, tuple(re.compile(form, re.IGNORECASE | re.ASCII) for form in forms))

    def read(self, text: str) -> datetime:
        """The wall clock at the site; midnight where there is a date only.

        Raises:
            UnreadableError: It is no date of this feed, or one that does not exist.
        """
        for pattern in self.patterns:
            found = pattern.fullmatch(text)
            if found:
                try:
                    return self._moment(found.groupdict())
                except (ValueError, OverflowError) as error:
                    raise UnreadableError(str(error)) from None
        raise UnreadableError("it is written in no way we know")

    def _moment(self, parts: dict[str, str | None]) -> datetime:
        name = parts.get("name")
        month = _MONTHS[name.lower()] if name else int(parts.get("month") or 1)
        day = date(_full_year(parts.get("year") or ""), month, int(parts.get("day") or 1))
        if not parts.get("hour"):
            return datetime.combine(day, time())
        return _at_the_site(_clock(day, parts), parts.get("offset"), self.zone)


def _full_year(year: str) -> int:
    """Two digits mean what they mean to PostgreSQL: 70 to 99 are the 1900s."""
    return int(year) if len(year) > 2 else int(year) + (2000 if int(year) < 70 else 1900)  # noqa: PLR2004


def _clock(day: date, parts: dict[str, str | None]) -> datetime:
    hour = int(parts.get("hour") or 0)
    half = (parts.get("half") or "").lower()
    if half:
        if hour > 12:  # noqa: PLR2004
            raise ValueError("the hour of a half day is over 12")
        hour = hour % 12 + (12 if half == "pm" else 0)
    moment = datetime.combine(day, time(hour, int(parts.get("minute") or 0), int(parts.get("second") or 0)))
    return moment + timedelta(microseconds=round(float(f"0.{parts.get('fraction') or 0}") * 1_000_000))


def _at_the_site(moment: datetime, offset: str | None, zone: ZoneInfo) -> datetime:
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
    "f": r"(?P<fraction>\d+)", "p": r"(?P<half>[ap]m)", "z": r"(?P<offset>z|[+-]\d{2}:?\d{2}(?::?\d{2})?)",
    "a": r"[a-z]{3}", "A": r"[a-z]{6,9}", "%": "%",
}  # fmt: skip


_SHORT = {"%D": "%m/%d/%y", "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%h": "%b"}


def _strptime_pattern(form: str, feed: Feed) -> re.Pattern[str]:
    written = form
    for short, long in _SHORT.items():
        written = written.replace(short, long)
    pattern = ""
    for piece in re.findall(r"%.|\s+|[^%\s]", written):
        if piece[0] == "%":
            if piece[1] not in _DIRECTIVES:
                raise FileRefused(f"feed {feed.name}: {piece} in the format {form!r} is not known; mend the feed")
            pattern += _DIRECTIVES[piece[1]]
        else:
            pattern += r"[ ]+" if piece.isspace() else re.escape(piece)
    try:
        return re.compile(pattern, re.IGNORECASE | re.ASCII)
    except re.error:
        raise FileRefused(f"feed {feed.name}: the format {form!r} names a part twice; mend the feed") from None


def without_date_marks(text: str) -> str:
    """A stamp without the hyphens that stand where a date has them; one that is left belongs to an offset."""
    for first, second in ((4, 7), (2, 5)):
        if text[first : first + 1] == "-" == text[second : second + 1]:
            return text[:first] + text[first + 1 : second] + text[second + 1 :]
    return text


def is_plain(text: str, kind: str, decimal: str) -> bool:
    """Whether PostgreSQL's own reading of a value is ours.

    The scan of whole blocks (`scan.py`) asks the same of bytes; tests hold the two together.
    """
    if kind in {"date", "timestamp", "timestamptz"}:
        return bool(_PLAIN_STAMP.fullmatch(text)) and "-" not in without_date_marks(text)
    if kind == "time":
        return bool(_PLAIN_TIME.fullmatch(text))
    if kind in {"integer", "bigint"}:
        return not text.strip("0123456789-")
    if kind == "numeric":
        return not text.strip("0123456789-" if decimal == "," else "0123456789-.")
    return True


def reader_of(
    feed: Feed, column: str, kind: str, *, slices: bool = False, key: bool = False
) -> Callable[[str], str] | None:
    """What turns the values of a column to text that PostgreSQL reads as we do; None where any text will do.

    Args:
        feed: Says the order of dates, the zone, the decimal mark and the formats.
        column: The column's name.
        kind: Its type.
        slices: Whether the file is sliced by it: then each value is read here.
        key: Whether it is part of the key: then its text must fit into an index.

    Returns:
        A function that raises UnreadableError for what is no value of the type.
    """
    if kind in {"integer", "bigint", "numeric"}:
        return _number_reader(kind, feed.decimal)
    if kind not in {"date", "time", "timestamp", "timestamptz"}:
        return _key_text if key else None
    stamps = Stamps.of(feed, column)
    always = slices or column in feed.formats
    zoned = kind == "timestamptz"

    def read(text: str) -> str:
        if not always and is_plain(text, kind, feed.decimal):
            return text
        if kind == "time":
            return _time_of_day(text, stamps, formatted=column in feed.formats)
        moment = stamps.read(text)
        if kind == "date":
            return moment.date().isoformat()
        return moment.replace(tzinfo=stamps.zone).isoformat(" ") if zoned else moment.isoformat(" ")

    return read


def _key_text(text: str) -> str:
    if len(text.encode()) > LONGEST_KEY:
        raise UnreadableError("it is too long for a key")
    return text


def _time_of_day(text: str, stamps: Stamps, *, formatted: bool) -> str:
    found = None if formatted else _CLOCK_ONLY.fullmatch(text)
    if found and found["offset"]:
        raise UnreadableError("a UTC offset without a date")
    try:
        moment = _clock(date(2000, 1, 1), found.groupdict()) if found else _formatted_time(text, stamps)
    except ValueError as error:
        raise UnreadableError(str(error)) from None
    return moment.time().isoformat()


def _formatted_time(text: str, stamps: Stamps) -> datetime:
    """A format of a time may leave out the date."""
    for pattern in stamps.patterns:
        found = pattern.fullmatch(text)
        if found and not found.groupdict().get("year"):
            return _clock(date(2000, 1, 1), found.groupdict())
    return stamps.read(text)


def _number_reader(kind: str, decimal: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if is_plain(text, kind, decimal):
            return text
        if len(text) > _LONGEST_NUMBER:
            raise UnreadableError("it is too long for a number")
        number = text if decimal == "." else text.translate(str.maketrans(".,", ",."))
        if _GROUPED.fullmatch(number):
            number = number.replace(",", "")
        elif not _NUMBER.fullmatch(number):
            raise UnreadableError("it is no number")
        return number if kind == "numeric" else _whole(number)

    return read


def _whole(number: str) -> str:
    """`90.0`, `9e1` -> `90`."""
    value = Decimal(number)
    if value != value.to_integral_value():
        raise UnreadableError("it is no whole number")
    return format(value, "f").partition(".")[0]


@dataclass
class DateReader:
    """Reads the dates a file is sliced by; each spelling once."""

    stamps: Stamps
    nulls: frozenset[str]

    def __post_init__(self) -> None:
        self._read: dict[bytes, date | None] = {}

    @classmethod
    def of(cls, feed: Feed, column: str) -> "DateReader":
        """The reader for the slicing column of a feed's files."""
        return cls(Stamps.of(feed, column), frozenset(feed.nulls))

    def __call__(self, spelling: bytes) -> date | None:
        """The date of a trimmed UTF-8 value; None where it is none."""
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
            return self.stamps.read(text).date()
        except UnreadableError:
            return None


def trimmed(text: str, nulls: Sequence[str] | frozenset[str]) -> str:
    """A value without blanks around it; empty where it is one of the words that mean none."""
    text = text.strip(BLANKS)
    return "" if text in nulls else text
