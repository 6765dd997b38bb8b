"""A hospital that delivers files of its days: a day a round, corrections, and files that are not as they should be."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from etl_assets.drills.rehearsal.comparison import TableTruth
from etl_assets.sandbox.operating_room.correction import write_correction
from etl_assets.sandbox.operating_room.delivered import Delivered
from etl_assets.sandbox.operating_room.rows import HEADERS
from etl_assets.sandbox.operating_room.write import Written, write_files
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.relation import Relation

FIRST = date(2026, 1, 5)
ROOMS = 4
EARLIER = FIRST - timedelta(days=7)
"""A day from before all that are delivered in their turn."""


class Hospital:
    """Files in a landing folder, and what they come to."""

    source = SOURCE
    run_words: Sequence[str] = ()
    whole_words: Sequence[str] = ("--from", "2025-12-01", "--to", "2026-03-31")
    environment: Mapping[str, str] = {}

    def __init__(self, folder: Path, seed: int, *, rooms: int = ROOMS) -> None:
        self.folder, self._seed, self._rooms = folder, seed, rooms
        self.delivered, self._next = Delivered(), FIRST
        self.change()

    def new_day(self) -> date:
        """The next working day."""
        day = self._next
        self._next += timedelta(days=3 if day.weekday() == 4 else 1)  # noqa: PLR2004 (Friday)
        return day

    def change(self) -> None:
        """Deliver the files of another day."""
        self.deliver(self.new_day())

    def deliver(
        self, day: date, *, defects: Mapping[str, int] | None = None, rooms: int | None = None
    ) -> Sequence[Path]:
        """Deliver the files of a day, whole; returns them.

        Args:
            day: Which.
            defects: Kinds of faults that make lines unreadable, and how many of each.
            rooms: Of how many rooms.
        """
        written = self.write(self.folder, day, defects=defects, rooms=rooms)
        for path in written.files:
            self.take(path, written)
        return written.files

    def write(
        self, folder: Path, day: date, *, defects: Mapping[str, int] | None = None, rooms: int | None = None
    ) -> Written:
        """Write the files of a day into a folder, delivered or not."""
        return write_files(
            folder, seed=self._seed, start=day, days=1, rooms=rooms or self._rooms, defects=defects, split="day"
        )

    def take(self, path: Path, written: Written | None = None) -> None:
        """Count a file as delivered."""
        planted = written.planted if written else ()
        self.delivered.take(path, rejected={each.line for each in planted if each.file == path.name})

    def correct(self, day: date) -> Path:
        """Deliver a correction of a day's cases: some are changed, one is gone, one is there."""
        path = write_correction(self.folder, seed=self._seed, day=day, rooms=self._rooms).file
        self.take(path)
        return path

    def truths(self) -> Iterator[TableTruth]:
        """The lines in force."""
        for table in SOURCE.tables:
            columns = [name for name in table.names if name in (*HEADERS[table.name], "site_id")]
            rows = (
                [_site(line) if name == "site_id" else line[name] or None for name in columns]
                for line in self.delivered.lines(table.name)
            )
            yield TableTruth(
                relation=Relation(SOURCE.schema, table.name), columns=columns, keys=list(table.keys), rows=rows
            )


def _site(line: Mapping[str, str]) -> str | None:
    """Whose ids the line's are, where no feed says so."""
    return line.get("location_id") or line.get("location_name") or None
