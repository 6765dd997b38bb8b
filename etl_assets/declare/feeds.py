"""Feeds: how the files of one sender and table are written. They are configuration: a new hospital is no new code.

They are written in YAML (`etl_assets/sources/<source>/feeds.yaml`, and a hospital's own file beside it) and chosen
by file name: the first feed whose pattern matches takes the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from etl_assets.errors import EtlError

DATE_ORDERS = ("ymd", "mdy", "dmy")
NULL_PRESETS = {
    "common": (
        "NULL", "null", "Null", "NaN", "nan", "NAN", "NaT", "N/A", "n/a", "#N/A", "<NA>", "None", "none", "NONE", r"\N",
    ),
}  # fmt: skip
"""Words for null by the name of a preset. `common`: what databases, pandas, Python and Excel write for no value."""
ALL_SHEETS = "*"
"""The word for every sheet of a workbook that has the header."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """File format of one sender's files of one table: file name pattern, header mapping, date order, encoding."""

    name: str
    """Rows keep it: what a file says replaces only what earlier files of the same feed said."""
    table: str
    pattern: str
    """Which file names it takes, as a shell pattern; case does not matter, and `.gz` is left out of it."""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column -> the headers it comes from; several are joined by a space (a date and a time, say).

    A column that is not named here takes the header of its own name, whatever its case and punctuation:
    `Room ID` is `room_id`. Headers that nothing names are left unread, and said so.
    """
    constants: Mapping[str, str] = field(default_factory=dict)
    """Column -> the value of every row."""
    formats: Mapping[str, str] = field(default_factory=dict)
    """Column -> its format in strptime's words, where `date_order` cannot tell it (`%d%b%Y:%H:%M:%S`)."""
    date_order: str = "ymd"
    """Which comes first in a date written in digits: ymd, mdy or dmy."""
    time_zone: str = "UTC"
    """The site's IANA zone. A time with a UTC offset is turned to this zone's wall clock; one without is kept."""
    nulls: Sequence[str] = ("NULL",)
    """Words that mean there is no value; an empty field always does."""
    null_preset: str | None = None
    """Further words for null: a name of `NULL_PRESETS`, such as `common`."""
    delimiter: str | None = None
    """Left out: whichever of comma, semicolon, tab and bar separates most known headers."""
    encoding: str = "utf-8"
    """Any of Python's; a byte order mark is stripped."""
    decimal: str = "."
    """The decimal mark, `.` or `,`; the other one is taken for a thousands mark."""
    sheet: str | None = None
    """The sheet of an Excel file, or `*` for all that have the header; left out: the one that has it."""
    max_rejected: float | None = None
    """The share of rejected rows over which a file is refused whole; left out: that of the table."""
    tolerated_rejects: int | None = None
    """How many rejected rows never refuse a file, whatever their share; left out: that of the table."""

    def __post_init__(self) -> None:
        if self.date_order not in DATE_ORDERS:
            raise ValueError(f"feed {self.name}: date_order {self.date_order!r} is none of {', '.join(DATE_ORDERS)}")
        if self.decimal not in {".", ","}:
            raise ValueError(f"feed {self.name}: decimal {self.decimal!r} is neither '.' nor ','")
        if self.null_preset is not None and self.null_preset not in NULL_PRESETS:
            raise ValueError(f"feed {self.name}: null_preset {self.null_preset!r} is none of {', '.join(NULL_PRESETS)}")
        if self.max_rejected is not None and not 0 <= self.max_rejected <= 1:
            raise ValueError(f"feed {self.name}: max_rejected {self.max_rejected!r} is no share from 0 to 1")
        if self.tolerated_rejects is not None and self.tolerated_rejects < 0:
            raise ValueError(f"feed {self.name}: tolerated_rejects {self.tolerated_rejects!r} is under 0")
        twice = set(self.columns) & set(self.constants)
        if twice:
            raise ValueError(f"feed {self.name}: {sorted(twice)} has both a header and a constant")

    @property
    def null_words(self) -> frozenset[str]:
        """Every word that means there is no value: `nulls`, and those of the preset."""
        return frozenset((*self.nulls, *NULL_PRESETS.get(self.null_preset or "", ())))

    def matches(self, file_name: str) -> bool:
        """Whether a file name matches this feed's pattern."""
        return fnmatchcase(file_name.lower().removesuffix(".gz"), self.pattern.lower())


def read_feeds(path: Path) -> tuple[Feed, ...]:
    """Parse the feeds of a YAML file, in its order.

    Raises:
        EtlError: The file is no YAML, or declares something that a feed does not have.
    """
    try:
        declared = yaml.safe_load(path.read_text(encoding="utf-8")) or []
        return tuple(_parse_feed(entry) for entry in declared)
    except (OSError, yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
        raise EtlError(f"{path}: cannot read the feeds it declares: {error}") from error


def _parse_feed(entry: Mapping[str, Any]) -> Feed:
    words = dict(entry)
    headers = words.pop("columns", None) or {}
    if not isinstance(headers, Mapping):
        raise TypeError(f"columns of feed {words.get('name')!r} must be a mapping of column to header")
    words["columns"] = {
        column: (header,) if isinstance(header, str) else tuple(map(str, header)) for column, header in headers.items()
    }
    words["constants"] = {column: str(value) for column, value in dict(words.get("constants") or {}).items()}
    if isinstance(words.get("nulls"), str):
        words["nulls"] = (words["nulls"],)
    return Feed(**words)
