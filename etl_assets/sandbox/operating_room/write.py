"""A stand-in for a hospital's operating-room exports: believable CSV files for any days and any number of rooms.

Without defects the files break no rule of the operating room. Defects are planted on request, each counted, so that a
test can ask for exactly them back. Nothing in the files is anyone's data.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from etl_assets.sandbox.operating_room.defects import RULES, SCRIPTS
from etl_assets.sandbox.operating_room.faults import FAULTS, Record, spoil
from etl_assets.sandbox.operating_room.files import Hospital, files_of, place_faults, write_file
from etl_assets.sandbox.seeded_random import SeededRandom

DEFECTS = (*SCRIPTS, *FAULTS)
"""Every kind of defect: those that are loaded and then found, and those whose line is rejected."""

SPLITS = ("day", "week", "month", "all")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Where a defect went."""

    kind: str
    file: str
    line: int
    """Of the file; the header is line 1."""
    key: str
    """The row's key before it was spoilt, or room and day where the finding is about these; parts joined by |."""
    column: str
    """The column that is wrong; empty where it is the line as such."""
    date: str
    """The schedule date that was meant."""
    rule: str | None = None
    """The rule that finds it; none where its line is rejected."""
    extra: Mapping[str, int] = field(default_factory=dict)
    """Findings of other rules that cannot be helped."""


@dataclass(frozen=True)
class Written:
    """What was written, and what should be found in it."""

    files: tuple[Path, ...]
    rows: Mapping[str, int]
    """File name -> lines after the header, those to be rejected among them."""
    planted: tuple[Planted, ...]

    @property
    def expected_findings(self) -> dict[str, int]:
        """Rule -> findings; every rule is named."""
        found = Counter(dict.fromkeys(RULES, 0))
        for defect in self.planted:
            if defect.rule:
                found[defect.rule] += 1
            found.update(defect.extra)
        return dict(found)

    @property
    def expected_rejects(self) -> dict[str, int]:
        """File name -> lines that must be rejected; files without any are left out."""
        return dict(Counter(defect.file for defect in self.planted if defect.rule is None))


def write_files(
    folder: Path,
    *,
    seed: int = 1,
    start: date,
    days: int,
    rooms: int = 8,
    defects: Mapping[str, int] | None = None,
    split: str = "day",
    as_of: date | None = None,
    max_rejected: float = 0.10,
) -> Written:
    """Write block schedules, cases and booked schedules; the same arguments give the same bytes anywhere.

    A period without a row of a table gets no file of it. No more than one period is held in memory.

    Args:
        folder: Made if it is missing; files of the same name are replaced.
        seed: Another one is another hospital.
        start: The first schedule date, 2000-01-01 or later.
        days: How many days, from the first one on.
        rooms: About one in twelve is held open for emergencies, and at least one where there are two.
        defects: Kind of `DEFECTS` -> how many. Each that is found afterwards takes a room-day of its own,
            and each `missing_room` a day.
        split: What a file holds: a `day`, an ISO `week`, a calendar `month`, or `all`.
        as_of: From this day on cases are booked and have not happened: they are in `or_schedule` alone.
        max_rejected: The share of a file's lines that may be spoilt. A loader refuses a file over its own share.

    Raises:
        ValueError: An argument is out of its range, or a defect has no place; nothing was written.
    """
    wanted = {kind: count for kind, count in sorted((defects or {}).items()) if count}
    _check(wanted, split)
    hospital = Hospital(seed, start, days, rooms, as_of=as_of)
    hospital.plant({kind: count for kind, count in wanted.items() if kind in SCRIPTS})
    faults = place_faults(
        hospital, split, {kind: count for kind, count in wanted.items() if kind in FAULTS}, max_rejected
    )
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    rows: dict[str, int] = {}
    planted: list[Planted] = []
    for name, table, clean in files_of(hospital, split):
        records = spoil(table, clean, faults.get(name, ()), SeededRandom(seed, "lines", name))
        files.append(write_file(folder / name, table, records))
        rows[name] = len(records)
        planted += _planted(name, records)
    return Written(tuple(files), rows, tuple(planted))


def _check(wanted: Mapping[str, int], split: str) -> None:
    unknown = sorted(wanted.keys() - set(DEFECTS))
    if unknown:
        raise ValueError(f"no defect is called {', '.join(unknown)}; there are: {', '.join(sorted(DEFECTS))}")
    negative = [kind for kind, count in wanted.items() if count < 0]
    if negative:
        raise ValueError(f"fewer than none of {', '.join(negative)} cannot be planted")
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")


def _planted(name: str, records: Sequence[Record]) -> list[Planted]:
    found = []
    for line, record in enumerate(records, 2):
        mark = record.mark
        if mark is None:
            continue
        script = SCRIPTS.get(mark.kind)
        found.append(
            Planted(
                kind=mark.kind,
                file=name,
                line=line,
                key=record.key,
                column=mark.column,
                date=record.date,
                rule=script.rule if script else None,
                extra=script.extra if script else {},
            )
        )
    return found
