"""From room-days to files: which days are planted with what, what each file holds, and how it is put down."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from etl_assets.sandbox.operating_room.day import Case, Mark, RoomDay, room_day, sound
from etl_assets.sandbox.operating_room.defects import night_and_morning, scripted_day
from etl_assets.sandbox.operating_room.faults import FAULTS, Record, line_of
from etl_assets.sandbox.operating_room.hospital import emergency_rooms, is_working_day
from etl_assets.sandbox.operating_room.rows import HEADERS, KEYS, block_row, case_row, schedule_row, told_by
from etl_assets.sandbox.seeded_random import SeededRandom

EARLIEST, MOST_ROOMS = date(2000, 1, 1), 999
_ROOMLESS = "missing_room"


class Hospital:
    """The days and rooms to be written, and the room-days that a defect is planted on."""

    def __init__(self, seed: int, start: date, days: int, rooms: int, *, as_of: date | None = None) -> None:
        if start < EARLIEST or days < 1 or not 1 <= rooms <= MOST_ROOMS:
            raise ValueError(
                f"start {start} must be {EARLIEST} or later, days {days} at least 1, rooms {rooms} in 1..{MOST_ROOMS}"
            )
        self.seed, self.rooms, self.as_of = seed, rooms, as_of
        self.dates = [start + timedelta(n) for n in range(days)]
        self._elective = rooms - len(emergency_rooms(rooms))
        self._planted: dict[tuple[date, int], RoomDay] = {}

    def room_days(self, day: date) -> Iterator[RoomDay]:
        """Every room of the day, in order."""
        for room in range(1, self.rooms + 1):
            yield self._planted.get((day, room)) or room_day(self.seed, day, room, self.rooms)

    def plant(self, wanted: Mapping[str, int]) -> None:
        """Give each finding a room-day of its own: on working days, where the span has any that are past.

        Raises:
            ValueError: There are more findings than room-days, or more cases without a room than days.
        """
        # Those without a room come first and on a day each: two on one day would look like one room's.
        kinds = [
            kind for kind in sorted(wanted, key=lambda kind: (kind != _ROOMLESS, kind)) for _ in range(wanted[kind])
        ]
        past = [day for day in self.dates if self.as_of is None or day < self.as_of]
        days = [day for day in past if is_working_day(day)] or past
        places = len(days) * self._elective
        if len(kinds) > places or wanted.get(_ROOMLESS, 0) > len(days):
            raise ValueError(
                f"{len(kinds)} findings need a room-day each of {places}, and {_ROOMLESS} a day each of {len(days)};"
                " take more days or rooms"
            )
        rng = SeededRandom(self.seed, "places", self.dates[0], len(self.dates), self.rooms)
        # One of several overlaps of blocks lies over midnight, where there is a night and a room-day to spare.
        if kinds.count("overlapping_blocks") > 1 and len(past) > 1 and len(kinds) < places:
            kinds.remove("overlapping_blocks")
            night, room = rng.randint(0, len(past) - 2), rng.randint(1, self._elective)
            for planted in night_and_morning(self.seed, past[night], past[night + 1], room):
                self._planted[planted.day, room] = planted
        roomless: set[date] = set()
        for kind in kinds:
            place = rng.choice(days), rng.randint(1, self._elective)
            while place in self._planted or (kind == _ROOMLESS and place[0] in roomless):
                place = rng.choice(days), rng.randint(1, self._elective)
            self._planted[place] = scripted_day(kind, self.seed, *place)
            if kind == _ROOMLESS:
                roomless.add(place[0])


def files_of(hospital: Hospital, split: str) -> Iterator[tuple[str, str, list[Record]]]:
    """Name, table and lines of each file that has any, period by period."""
    held: dict[str, list[Record]] = {table: [] for table in HEADERS}
    for place, day in enumerate(hospital.dates, 1):
        for one in hospital.room_days(day):
            for table, records in records_of(one, hospital.as_of).items():
                held[table] += records
        period = _period(hospital, day, split)
        if place == len(hospital.dates) or _period(hospital, hospital.dates[place], split) != period:
            for table, records in held.items():
                if records:
                    yield f"{table}_{period}.csv", table, records
                held[table] = []


def records_of(one: RoomDay, as_of: date | None = None) -> dict[str, list[Record]]:
    """The lines of a room-day in each table; from `as_of` on, only what was known when that day began."""
    day, room, natural = one.day, one.room, not one.planted
    made: dict[str, list[Record]] = {table: [] for table in HEADERS}
    ahead = as_of if as_of is not None and day >= as_of else None
    for block in one.blocks:
        row = block_row(day, room, block, as_of=ahead)
        made["block_schedule"].append(_record("block_schedule", day, row, block.mark, loseable=natural))
    last = last_done(one)
    for case in one.cases:
        if ahead and not told_by(day, case.booked_at, ahead):
            continue
        row = schedule_row(day, room, case, as_of=ahead)
        made["or_schedule"].append(_record("or_schedule", day, row, None, loseable=natural))
        if not ahead:
            row = case_row(day, room, case)
            loseable = natural and (not case.done or (case is last and can_lose_last(one)))
            made["or_case"].append(_record("or_case", day, row, case.mark, loseable=loseable))
    return made


def last_done(one: RoomDay) -> Case | None:
    """The last case of a room-day that took place; none where there was none."""
    return max((case for case in one.cases if case.done), key=lambda case: case.points["or_in"], default=None)


def can_lose_last(one: RoomDay) -> bool:
    """Whether the room-day breaks no rule without its last case either."""
    last = last_done(one)
    return last is not None and sound(one.blocks, [case for case in one.cases if case is not last])


def place_faults(
    hospital: Hospital, split: str, wanted: Mapping[str, int], max_rejected: float
) -> dict[str, list[str]]:
    """File name -> the kinds of fault it gets, spread over the tables that can have them.

    Raises:
        ValueError: No file has room for one more without passing `max_rejected` or breaking a rule.
    """
    if not wanted:
        return {}
    tables: dict[str, str] = {}
    room: dict[str, int] = {}
    for name, table, records in files_of(hospital, split):
        tables[name] = table
        room[name] = min(sum(record.loseable for record in records), int(len(records) * max_rejected + 1e-9))
    rng = SeededRandom(hospital.seed, "faults", hospital.dates[0], len(hospital.dates), hospital.rooms)
    placed: dict[str, list[str]] = {}
    # The kinds with the fewest places first; unclosed_quote can be only once in a file.
    for kind in sorted(wanted, key=lambda kind: (kind != "unclosed_quote", len(FAULTS[kind]), kind)):
        for turn in range(wanted[kind]):
            open_files = [name for name in room if room[name] and tables[name] in FAULTS[kind]]
            if kind == "unclosed_quote":
                open_files = [name for name in open_files if kind not in placed.get(name, ())]
            if not open_files:
                raise ValueError(
                    f"there is no place for {wanted[kind]} {kind}: only {turn} fit into files of which at most"
                    f" {max_rejected:.0%} may be rejected; take more days or rooms, or a higher max_rejected"
                )
            wished = list(FAULTS[kind])[turn % len(FAULTS[kind])]
            name = rng.choice([name for name in open_files if tables[name] == wished] or open_files)
            room[name] -= 1
            placed.setdefault(name, []).append(kind)
    return placed


def write_file(path: Path, table: str, records: Sequence[Record]) -> Path:
    """Put a file down whole: a reader of the folder sees all of it or nothing."""
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write((",".join(HEADERS[table]) + "\n").encode())
        file.writelines(line_of(record) for record in records)
    return unfinished.replace(path)


def _period(hospital: Hospital, day: date, split: str) -> str:
    if split == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    if split == "all":
        return f"{hospital.dates[0]}_{hospital.dates[-1]}"
    return day.isoformat()[: {"day": 10, "month": 7}[split]]


def _record(table: str, day: date, row: Mapping[str, str], mark: Mark | None, *, loseable: bool) -> Record:
    key = mark.key if mark and mark.key else "|".join(row[column] for column in KEYS[table])
    return Record([row.get(column, "") for column in HEADERS[table]], key, day.isoformat(), mark, loseable)
