"""What a hospital has delivered, list by list and day by day: what whoever took in its files should hold."""

import csv
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from etl_assets.sandbox.operating_room.rows import DATES, HEADERS

Line = dict[str, str]


@dataclass
class Delivered:
    """The lines in force: of each list and day those of the last file that told of it."""

    _in_force: dict[tuple[str, str], list[Line]] = field(default_factory=dict)
    files: dict[tuple[str, str], Path] = field(default_factory=dict)
    """Which file they are of."""

    def take(self, path: Path, *, rejected: Collection[int] = ()) -> None:
        """Count a file that was delivered whole.

        Args:
            path: Such as `or_case_2026-01-05.csv`.
            rejected: Lines that nobody can take; the header is line 1.
        """
        table = next(name for name in HEADERS if path.name.startswith(name))
        days: dict[str, list[Line]] = defaultdict(list)
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            for number, line in enumerate(csv.DictReader(file), 2):
                if number not in rejected:
                    days[line[DATES[table]]].append(line)
        for day, lines in days.items():
            self._in_force[table, day] = lines
            self.files[table, day] = path

    def in_force(self) -> list[Path]:
        """The files that lines are in force of."""
        return sorted(set(self.files.values()))

    def lines(self, table: str) -> Iterator[Line]:
        """The lines of a list that are in force."""
        for (name, _), lines in self._in_force.items():
            if name == table:
                yield from lines
