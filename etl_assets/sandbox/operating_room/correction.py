"""A corrected file: what a hospital sends when it finds that it had told a day wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from etl_assets.sandbox.operating_room.day import Case, RoomDay, case_number, happen, make_case, sound
from etl_assets.sandbox.operating_room.files import (
    Hospital,
    can_lose_last,
    last_done,
    records_of,
    write_file,
)
from etl_assets.sandbox.seeded_random import SeededRandom

_CHANGED = 3
_FORGOTTEN = 90  # the number within its room-day of a case that was forgotten; no day comes near it


@dataclass(frozen=True)
class Correction:
    """A corrected file, and the cases in which it differs from the day's first one, by case_id."""

    file: Path
    rows: int
    changed: tuple[str, ...]
    removed: str
    added: str


def write_correction(folder: Path, *, seed: int = 1, day: date, rooms: int = 8) -> Correction:
    """Write a corrected case file for a day that `write_files` wrote with this seed, these rooms and no defects.

    Up to three cases end some minutes later than was said, one case is gone, and a forgotten one is there. The
    corrected day breaks no rule either.

    Raises:
        ValueError: The day has too few cases to be corrected so; nothing was written.
    """
    room_days = list(Hospital(seed, day, 1, rooms).room_days(day))
    added = _add(seed, room_days)
    removed = _remove([one for one in room_days if added not in one.cases])
    changed = _change([one for one in room_days if added not in one.cases])
    if added is None or removed is None or not changed:
        raise ValueError(f"{day} has too few cases in {rooms} rooms to be corrected; take a working day, or more rooms")
    records = [record for one in room_days for record in records_of(one)["or_case"]]
    folder.mkdir(parents=True, exist_ok=True)
    path = write_file(folder / f"or_case_{day}_corrected.csv", "or_case", records)
    return Correction(
        file=path,
        rows=len(records),
        changed=tuple(f"C{case.number}" for case in changed),
        removed=f"C{removed.number}",
        added=f"C{added.number}",
    )


def _add(seed: int, room_days: Sequence[RoomDay]) -> Case | None:
    """A case after the last one of the first room that has time for it."""
    for one in room_days:
        last = last_done(one)
        if last is None:
            continue
        rng = SeededRandom(seed, "forgotten", one.day, one.room)
        case = make_case(rng, seed, last.service, last.surgeon, case_number(one.day, one.room, _FORGOTTEN))
        or_in = last.points["or_out"] + 30
        case.urgency, case.booked_at, case.sched_start = "Add-On", or_in - 180, or_in - or_in % 5
        happen(rng, case, or_in, 45)
        if sound(one.blocks, [*one.cases, case]):
            one.cases.append(case)
            return case
    return None


def _remove(room_days: Sequence[RoomDay]) -> Case | None:
    """The last case of the first room that can do without it."""
    for one in room_days:
        last = last_done(one)
        if last is not None and can_lose_last(one):
            one.cases.remove(last)
            return last
    return None


def _change(room_days: Sequence[RoomDay]) -> list[Case]:
    """The last cases of some rooms, which end later, and everything after the end with it."""
    changed: list[Case] = []
    for one in room_days:
        last = last_done(one)
        if last is None or len(changed) == _CHANGED:
            continue
        told = dict(last.points)
        later = 4 + 2 * len(changed)
        last.points = {point: at + later if at >= told["proc_end"] else at for point, at in told.items()}
        if sound(one.blocks, one.cases):
            changed.append(last)
        else:
            last.points = told
    return changed
