"""One day of one operating room: who owns it, what is booked, and how the day goes.

Times are whole minutes after midnight of the day, below zero before it and over 1,440 after it. A day depends on
nothing but the seed, the date and the room, so a longer span begins with the same days. No day breaks a rule about
durations, turnovers or use, by whichever reading of it: one that would is drawn again, or left without cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from etl_assets.sandbox.dice import Dice
from etl_assets.sandbox.operating_room import hospital
from etl_assets.sandbox.operating_room.hospital import Procedure, Reason, Service

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
        dice = Dice(seed, "elective", day, room, draw)
        cases = _elective_cases(dice, seed, day, room, block)
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
    template = Dice(seed, "owner", room, day.weekday())
    block = Block(7 * HOUR, template.pick((15, 17, 17)) * HOUR)
    if template.chance(0.90):
        block.service = template.weighted(hospital.SERVICES, hospital.BLOCK_WEIGHTS)
        if template.chance(0.10):
            block.surgeon = template.pick(block.service.surgeon_ids)
        today = Dice(seed, "release", day, room)
        if today.chance(0.08):
            block.released = -today.whole(2, 14) * MIDNIGHT + today.whole(9 * HOUR, 16 * HOUR)
    return block


def _elective_cases(dice: Dice, seed: int, day: date, room: int, block: Block) -> list[Case]:
    if dice.chance(0.03) or (block.released is not None and dice.chance(0.5)):
        return []
    service = block.service
    if service is None or block.released is not None:
        service = dice.pick([other for other in hospital.SERVICES if other is not service])
    # A surgeon who owns the day does all of it; else one follows another.
    surgeon = block.surgeon if block.surgeon and block.released is None else dice.pick(service.surgeon_ids)
    cases: list[Case] = []
    start, until = block.start, block.end - dice.whole(0, 100)
    while True:
        case = make_case(dice, seed, service, surgeon, case_number(day, room, len(cases) + 1))
        if start + case.sched_duration > until:
            break
        case.sched_start = start
        cases.append(case)
        start += case.sched_duration + 30
        if surgeon != block.surgeon and dice.chance(0.35):
            surgeon = dice.pick(service.surgeon_ids)
    if cases and dice.chance(0.15):
        cases.append(_add_on(dice, seed, case_number(day, room, len(cases) + 1), start))
    for case in cases:
        if dice.chance(0.07):
            _cancel(dice, case)
    _run(dice, cases)
    return cases


def _add_on(dice: Dice, seed: int, number: str, start: int) -> Case:
    service = dice.pick(hospital.EMERGENCY_SERVICES)
    case = make_case(dice, seed, service, dice.pick(service.surgeon_ids), number)
    case.urgency = dice.pick(("Add-On", "Add-On", "Urgent"))
    case.sched_start, case.booked_at = start, dice.whole(-10 * HOUR, 6 * HOUR)
    return case


def _emergency_day(seed: int, day: date, room: int) -> RoomDay:
    """A room without a block. After a late session it rests a day, so that no idle hours look like a turnover."""
    if _is_late(seed, day - timedelta(1), room):
        return RoomDay(day, room)
    late = _is_late(seed, day, room)
    for draw in range(_DRAWS):
        dice = Dice(seed, "emergency", day, room, draw)
        if not late and dice.chance(0.2):
            return RoomDay(day, room)
        cases = _emergency_cases(dice, seed, day, room, late=late)
        if sound([], cases):
            return RoomDay(day, room, [], cases)
    return RoomDay(day, room)


def _is_late(seed: int, day: date, room: int) -> bool:
    return Dice(seed, "late", day, room).chance(0.3)


def _emergency_cases(dice: Dice, seed: int, day: date, room: int, *, late: bool) -> list[Case]:
    begin = dice.whole(18 * HOUR, 21 * HOUR) if late else dice.whole(7 * HOUR + 30, 12 * HOUR)
    known = begin - dice.whole(30, 240)  # all of a session are booked before it begins
    cases: list[Case] = []
    for sequence in range(1, dice.whole(1, 3) + 1):
        service = dice.pick(hospital.EMERGENCY_SERVICES)
        case = make_case(dice, seed, service, dice.pick(service.surgeon_ids), case_number(day, room, sequence))
        case.urgency = dice.weighted(("Urgent", "Emergent"), (3, 2))
        case.sched_start, case.booked_at = begin, known + sequence
        begin += case.sched_duration + 30
        cases.append(case)
    _run(dice, cases)
    # None ends in the hour in which clocks are changed, so that its minutes are the same by wall clock.
    return [case for case in cases if case.points["or_out"] <= MIDNIGHT + 115]


def make_case(dice: Dice, seed: int, service: Service, surgeon: str, number: str) -> Case:
    """A case that is booked for as long as its surgeon usually takes; when is left to the caller."""
    procedure = dice.pick(service.procedures)
    pace = Dice(seed, "pace", surgeon).around(1.0, 0.08)
    return Case(
        number=number,
        service=service,
        surgeon=surgeon,
        procedure=procedure,
        patient=dice.whole(1, 250_000),
        urgency="Elective",
        asa=dice.weighted(range(len(hospital.ASA)), hospital.ASA_WEIGHTS),
        booked_at=-dice.whole(5, 45) * MIDNIGHT + dice.whole(8 * HOUR, 17 * HOUR),
        sched_start=0,
        sched_duration=max(25, 5 * round(procedure.minutes * pace / 5)),
    )


def case_number(day: date, room: int, sequence: int) -> str:
    """Which case of which room and day it is, in ten digits; no two cases of any span share one."""
    return f"{(day - _EPOCH).days:05d}{room:03d}{sequence:02d}"


def _cancel(dice: Dice, case: Case) -> None:
    if case.urgency == "Elective" and dice.chance(0.55):
        case.reason = dice.pick(hospital.EARLY_REASONS)
        case.cancelled_at = -dice.whole(1, 4) * MIDNIGHT + dice.whole(8 * HOUR, 19 * HOUR)
        return
    case.reason = dice.pick(hospital.SAME_DAY_REASONS)
    case.cancelled_at = case.sched_start - dice.whole(5, 55)
    if case.reason.code != "C11":
        case.points["periop_arrival"] = case.sched_start - dice.whole(75, 120)


def _run(dice: Dice, cases: Sequence[Case]) -> None:
    """Let the day happen: the first patient is late by minutes, each next one follows as soon as the room is ready."""
    free: int | None = None
    for case in cases:
        if case.reason is not None:
            continue
        if free is None:
            or_in = case.sched_start + min(28, round(dice.around(5.5, 0.55)))
        else:
            turnover = min(60, max(16, round(dice.around(29, 0.24))))
            waited = dice.whole(5, 25) if dice.chance(0.05) else 0
            or_in = free + turnover + waited
        minutes = max(20, round(case.sched_duration * dice.around(1.02, case.procedure.spread * 0.8)))
        happen(dice, case, or_in, minutes)
        free = or_in + minutes


def happen(dice: Dice, case: Case, or_in: int, minutes: int) -> None:
    """Give a case all its time points, in order, from `minutes` in the room that begin at `or_in`."""
    or_out = or_in + minutes
    proc_start = or_in + max(4, minutes * dice.whole(14, 24) // 100)
    proc_end = or_out - max(3, minutes * dice.whole(5, 11) // 100)
    preop_out = or_in - dice.whole(2, 9)
    preop_in = preop_out - dice.whole(25, 60)
    pacu_in = or_out + dice.whole(3, 8)
    pacu_out = pacu_in + dice.whole(40, 115)
    case.points = {
        "periop_arrival": preop_in - dice.whole(5, 40),
        "preop_in": preop_in,
        "preop_out": preop_out,
        "or_in": or_in,
        "anes_start": or_in + dice.whole(-4, 3),
        "proc_start": proc_start,
        "proc_closing": max(proc_start, proc_end - max(1, minutes * dice.whole(6, 12) // 100)),
        "proc_end": proc_end,
        "or_out": or_out,
        "anes_end": or_out + dice.whole(0, 8),
        "pacu_in": pacu_in,
        "pacu_out": pacu_out,
        "proc_care_complete": pacu_out,
    }
    if minutes < 90 and case.asa < 2:  # noqa: PLR2004 (short cases of healthy patients go home the same day)
        case.points["pacu2_in"] = pacu_out + dice.whole(3, 10)
        case.points["pacu2_out"] = case.points["proc_care_complete"] = case.points["pacu2_in"] + dice.whole(25, 70)
