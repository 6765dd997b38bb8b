"""One day of one operating room: who owns it, what is booked, and how the day goes.

Times are whole minutes after midnight of the day, below zero before it and over 1,440 after it. A day depends on
nothing but the seed, the date and the room, so a longer span begins with the same days. No day breaks a rule about
durations, turnovers or use, by whichever reading of it: one that would is drawn again, or left without cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from etl_assets.sandbox.operating_room import hospital
from etl_assets.sandbox.operating_room.hospital import Procedure, Reason, Service
from etl_assets.sandbox.seeded_random import SeededRandom

HOUR, MIDNIGHT = 60, 24 * 60
_EPOCH = date(2000, 1, 1)
_DRAWS = 6  # how often a day is drawn before the room is left empty

# What a sound day keeps to. The rules allow 15..720 minutes a case, 120..720 a room-day, 15..90 a turnover and
# 20..120 % of a block; the margins leave room for a rule that counts an end in or out.
_CASE, _ROOM_DAY, _TURNOVER, _BLOCK = (20, 600), (130, 700), (16, 85), (0.22, 1.15)


@dataclass(frozen=True)
class Mark:
    """Says of a block or case that a defect of this kind was planted on it."""

    kind: str
    column: str
    key: str | None = None
    """Whose finding it is, where that is not the row's own key."""


@dataclass(slots=True)
class Block:
    """A room's time, and whose it is; without a service it is open to all."""

    start: int
    end: int
    service: Service | None = None
    surgeon: str | None = None
    released: int | None = None
    mark: Mark | None = None


@dataclass(slots=True)
class Case:
    """A case as it was booked, and as it went."""

    number: str
    service: Service
    surgeon: str
    procedure: Procedure
    patient: int
    urgency: str
    asa: int
    booked_at: int
    sched_start: int
    sched_duration: int
    points: dict[str, int] = field(default_factory=dict)
    """Time point -> minute; empty where the case was cancelled."""
    reason: Reason | None = None
    cancelled_at: int | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    """Column of or_case -> what its file says instead."""
    mark: Mark | None = None

    @property
    def done(self) -> bool:
        """Whether the patient was in the room."""
        return "or_in" in self.points


@dataclass(slots=True)
class RoomDay:
    """All that the files say of one room on one day."""

    day: date
    room: int
    blocks: list[Block] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    planted: bool = False


def room_day(seed: int, day: date, room: int, rooms: int) -> RoomDay:
    """The day as it would be without any defect."""
    if room in hospital.emergency_rooms(rooms):
        return _emergency_day(seed, day, room)
    if not hospital.is_working_day(day):
        return RoomDay(day, room)
    block = _block(seed, day, room)
    for draw in range(_DRAWS):
        rng = SeededRandom(seed, "elective", day, room, draw)
        cases = _elective_cases(rng, seed, day, room, block)
        if sound([block], cases):
            return RoomDay(day, room, [block], cases)
    return RoomDay(day, room, [block])


def sound(blocks: Sequence[Block], cases: Sequence[Case]) -> bool:
    """Whether a room-day breaks no rule; also not if a rule counts only the owner's cases, or clips them."""
    spans = sorted((case.points["or_in"], case.points["or_out"]) for case in cases if case.done)
    lengths = [end - start for start, end in spans]
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(spans)]
    return (
        all(_CASE[0] <= length <= _CASE[1] for length in lengths)
        and all(_TURNOVER[0] <= gap <= _TURNOVER[1] for gap in gaps)
        and (not cases or _ROOM_DAY[0] <= sum(lengths) <= _ROOM_DAY[1])
        and all(_well_used(block, cases) for block in blocks)
    )


def _well_used(block: Block, cases: Sequence[Case]) -> bool:
    groups = [
        cases,
        [case for case in cases if case.service is block.service],
        [case for case in cases if case.surgeon == block.surgeon],
    ]
    return all(_BLOCK[0] <= share <= _BLOCK[1] for group in groups if group for share in _shares(block, group))


def _shares(block: Block, cases: Sequence[Case]) -> tuple[float, float, float]:
    spans = [(case.points["or_in"], case.points["or_out"]) for case in cases if case.done]
    whole = sum(end - start for start, end in spans)
    begun = sum(end - start for start, end in spans if block.start <= start < block.end)
    inside = sum(max(0, min(end, block.end) - max(start, block.start)) for start, end in spans)
    length = block.end - block.start
    return whole / length, begun / length, inside / length


def _block(seed: int, day: date, room: int) -> Block:
    """The room's block on such a weekday, and what became of it on this day."""
    template = SeededRandom(seed, "owner", room, day.weekday())
    block = Block(7 * HOUR, template.choice((15, 17, 17)) * HOUR)
    if template.chance(0.90):
        block.service = template.weighted_choice(hospital.SERVICES, hospital.BLOCK_WEIGHTS)
        if template.chance(0.10):
            block.surgeon = template.choice(block.service.surgeon_ids)
        today = SeededRandom(seed, "release", day, room)
        if today.chance(0.08):
            block.released = -today.randint(2, 14) * MIDNIGHT + today.randint(9 * HOUR, 16 * HOUR)
    return block


def _elective_cases(rng: SeededRandom, seed: int, day: date, room: int, block: Block) -> list[Case]:
    if rng.chance(0.03) or (block.released is not None and rng.chance(0.5)):
        return []
    service = block.service
    if service is None or block.released is not None:
        service = rng.choice([other for other in hospital.SERVICES if other is not service])
    # A surgeon who owns the day does all of it; else one follows another.
    surgeon = block.surgeon if block.surgeon and block.released is None else rng.choice(service.surgeon_ids)
    cases: list[Case] = []
    start, until = block.start, block.end - rng.randint(0, 100)
    while True:
        case = make_case(rng, seed, service, surgeon, case_number(day, room, len(cases) + 1))
        if start + case.sched_duration > until:
            break
        case.sched_start = start
        cases.append(case)
        start += case.sched_duration + 30
        if surgeon != block.surgeon and rng.chance(0.35):
            surgeon = rng.choice(service.surgeon_ids)
    if cases and rng.chance(0.15):
        cases.append(_add_on(rng, seed, case_number(day, room, len(cases) + 1), start))
    for case in cases:
        if rng.chance(0.07):
            _cancel(rng, case)
    _run(rng, cases)
    return cases


def _add_on(rng: SeededRandom, seed: int, number: str, start: int) -> Case:
    service = rng.choice(hospital.EMERGENCY_SERVICES)
    case = make_case(rng, seed, service, rng.choice(service.surgeon_ids), number)
    case.urgency = rng.choice(("Add-On", "Add-On", "Urgent"))
    case.sched_start, case.booked_at = start, rng.randint(-10 * HOUR, 6 * HOUR)
    return case


def _emergency_day(seed: int, day: date, room: int) -> RoomDay:
    """A room without a block. After a late session it rests a day, so that no idle hours look like a turnover."""
    if _is_late(seed, day - timedelta(1), room):
        return RoomDay(day, room)
    late = _is_late(seed, day, room)
    for draw in range(_DRAWS):
        rng = SeededRandom(seed, "emergency", day, room, draw)
        if not late and rng.chance(0.2):
            return RoomDay(day, room)
        cases = _emergency_cases(rng, seed, day, room, late=late)
        if sound([], cases):
            return RoomDay(day, room, [], cases)
    return RoomDay(day, room)


def _is_late(seed: int, day: date, room: int) -> bool:
    return SeededRandom(seed, "late", day, room).chance(0.3)


def _emergency_cases(rng: SeededRandom, seed: int, day: date, room: int, *, late: bool) -> list[Case]:
    begin = rng.randint(18 * HOUR, 21 * HOUR) if late else rng.randint(7 * HOUR + 30, 12 * HOUR)
    known = begin - rng.randint(30, 240)  # all of a session are booked before it begins
    cases: list[Case] = []
    for sequence in range(1, rng.randint(1, 3) + 1):
        service = rng.choice(hospital.EMERGENCY_SERVICES)
        case = make_case(rng, seed, service, rng.choice(service.surgeon_ids), case_number(day, room, sequence))
        case.urgency = rng.weighted_choice(("Urgent", "Emergent"), (3, 2))
        case.sched_start, case.booked_at = begin, known + sequence
        begin += case.sched_duration + 30
        cases.append(case)
    _run(rng, cases)
    # None ends in the hour in which clocks are changed, so that its minutes are the same by wall clock.
    return [case for case in cases if case.points["or_out"] <= MIDNIGHT + 115]


def make_case(rng: SeededRandom, seed: int, service: Service, surgeon: str, number: str) -> Case:
    """A case that is booked for as long as its surgeon usually takes; when is left to the caller."""
    procedure = rng.choice(service.procedures)
    pace = SeededRandom(seed, "pace", surgeon).lognormal(1.0, 0.08)
    return Case(
        number=number,
        service=service,
        surgeon=surgeon,
        procedure=procedure,
        patient=rng.randint(1, 250_000),
        urgency="Elective",
        asa=rng.weighted_choice(range(len(hospital.ASA)), hospital.ASA_WEIGHTS),
        booked_at=-rng.randint(5, 45) * MIDNIGHT + rng.randint(8 * HOUR, 17 * HOUR),
        sched_start=0,
        sched_duration=max(25, 5 * round(procedure.minutes * pace / 5)),
    )


def case_number(day: date, room: int, sequence: int) -> str:
    """Which case of which room and day it is, in ten digits; no two cases of any span share one."""
    return f"{(day - _EPOCH).days:05d}{room:03d}{sequence:02d}"


def _cancel(rng: SeededRandom, case: Case) -> None:
    if case.urgency == "Elective" and rng.chance(0.55):
        case.reason = rng.choice(hospital.EARLY_REASONS)
        case.cancelled_at = -rng.randint(1, 4) * MIDNIGHT + rng.randint(8 * HOUR, 19 * HOUR)
        return
    case.reason = rng.choice(hospital.SAME_DAY_REASONS)
    case.cancelled_at = case.sched_start - rng.randint(5, 55)
    if case.reason.code != "C11":
        case.points["periop_arrival"] = case.sched_start - rng.randint(75, 120)


def _run(rng: SeededRandom, cases: Sequence[Case]) -> None:
    """Let the day happen: the first patient is late by minutes, each next one follows as soon as the room is ready."""
    free: int | None = None
    for case in cases:
        if case.reason is not None:
            continue
        if free is None:
            or_in = case.sched_start + min(28, round(rng.lognormal(5.5, 0.55)))
        else:
            turnover = min(60, max(16, round(rng.lognormal(29, 0.24))))
            waited = rng.randint(5, 25) if rng.chance(0.05) else 0
            or_in = free + turnover + waited
        minutes = max(20, round(case.sched_duration * rng.lognormal(1.02, case.procedure.spread * 0.8)))
        happen(rng, case, or_in, minutes)
        free = or_in + minutes


def happen(rng: SeededRandom, case: Case, or_in: int, minutes: int) -> None:
    """Give a case all its time points, in order, from `minutes` in the room that begin at `or_in`."""
    or_out = or_in + minutes
    proc_start = or_in + max(4, minutes * rng.randint(14, 24) // 100)
    proc_end = or_out - max(3, minutes * rng.randint(5, 11) // 100)
    preop_out = or_in - rng.randint(2, 9)
    preop_in = preop_out - rng.randint(25, 60)
    pacu_in = or_out + rng.randint(3, 8)
    pacu_out = pacu_in + rng.randint(40, 115)
    case.points = {
        "periop_arrival": preop_in - rng.randint(5, 40),
        "preop_in": preop_in,
        "preop_out": preop_out,
        "or_in": or_in,
        "anes_start": or_in + rng.randint(-4, 3),
        "proc_start": proc_start,
        "proc_closing": max(proc_start, proc_end - max(1, minutes * rng.randint(6, 12) // 100)),
        "proc_end": proc_end,
        "or_out": or_out,
        "anes_end": or_out + rng.randint(0, 8),
        "pacu_in": pacu_in,
        "pacu_out": pacu_out,
        "proc_care_complete": pacu_out,
    }
    if minutes < 90 and case.asa < 2:  # noqa: PLR2004 (short cases of healthy patients go home the same day)
        case.points["pacu2_in"] = pacu_out + rng.randint(3, 10)
        case.points["pacu2_out"] = case.points["proc_care_complete"] = case.points["pacu2_in"] + rng.randint(25, 70)
