"""Checked before each query: raises when the source's allowed hours are over or the run was cancelled."""

from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from etl_assets.declare.hours import AllowedHours
from etl_assets.errors import OutsideHours
from etl_assets.readers.cancellation import CancellationToken

Item = TypeVar("Item")


class ExtractionWindow:
    """When the source may be read: in its hours, and as long as nobody has cancelled the run."""

    def __init__(self, title: str, hours: AllowedHours | None, token: CancellationToken) -> None:
        """`title` is the source's, for messages; `token` ends the window from another thread."""
        self._title = title
        self._hours = hours
        self._token = token

    @property
    def is_idle_time(self) -> bool:
        """Whether the source has hours in which nobody works with it: then long statements hold nobody up."""
        return self._hours is not None

    def check(self) -> None:
        """Raise OutsideHours when the allowed hours are over, and TransientError when the run was cancelled."""
        if self._hours and not self._hours.allows(datetime.now(UTC)):
            raise OutsideHours(
                f"{self._title} may be read {self._hours} alone, and it is not that time. What was not loaded by then"
                " was left as it was; the next run loads it."
            )
        self._token.check()

    def guarded(self, items: Iterable[Item]) -> Generator[Item, None, None]:
        """Pass items on, with a `check` before each. Closes the reading when it is closed itself."""
        try:
            for item in items:
                self.check()
                yield item
        finally:
            close_stream(items)


def close_stream(items: Iterable[object]) -> None:
    """Close a stream that may not be exhausted, so that its connection is free for the next query."""
    if isinstance(items, Generator):
        items.close()
