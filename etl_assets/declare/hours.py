"""The daily extraction window: when a source may be read. At other times it slows the people who work with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from etl_assets.errors import EtlError

_FORM = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")


def source_zone(given: Mapping[str, str], variables: str) -> ZoneInfo:
    """The time zone that a source's people live by: its setting `timezone`, or UTC; see `AllowedHours.parse`."""
    try:
        return ZoneInfo(given.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        raise EtlError(f"{variables}_TIMEZONE is no time zone; one such as America/Chicago was expected.") from None


@dataclass(frozen=True)
class AllowedHours:
    """A daily time window, its end not included; it goes over midnight where the end is the earlier time."""

    start: time
    end: time
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}"

    @classmethod
    def parse(cls, given: Mapping[str, str], variables: str) -> "AllowedHours | None":
        """Parse the settings `hours` and `timezone` of a source; None where it may be read all day.

        Args:
            given: `Settings.of_source`.
            variables: The beginning of the variables' names, for the message: `ETL_OPEN_DENTAL`.

        Raises:
            EtlError: They cannot be read.
        """
        text = given.get("hours")
        if not text:
            return None
        found = _FORM.match(text)
        if not found:
            raise EtlError(f"{variables}_HOURS is {text!r}; two times such as 21:00-06:00 were expected.")
        begin, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
        if begin == end:
            raise EtlError(f"{variables}_HOURS is {text!r}, which is no time at all. Leave it out to read all day.")
        return cls(begin, end, source_zone(given, variables))

    def allows(self, moment: datetime) -> bool:
        """Whether the source may be read at this moment, which has a time zone."""
        now = moment.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end
