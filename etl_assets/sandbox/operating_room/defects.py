"""Defects that are planted on request, each so that it is found as its own kind and as no other.

A finding of a quality rule is planted by writing a whole room-day from a script: its durations and turnovers are
chosen so that the one thing that is wrong breaks one rule. A fault that makes a line unreadable is planted on a line
whose loss breaks none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from etl_assets.sandbox.operating_room import hospital
from etl_assets.sandbox.operating_room.day import (
    HOUR,
    Block,
    Case,
    Mark,
    RoomDay,
    case_number,
    happen,
    make_case,
)
from etl_assets.sandbox.operating_room.hospital import Service
from etl_assets.sandbox.operating_room.rows import room_id
from etl_assets.sandbox.seeded_random import SeededRandom

Range = tuple[int, int]
Blocks = tuple[tuple[int, int], ...]

RULES = (
    "InvalidSurgeryDates",
    "MissingRequiredFields",
    "InvalidTimeSequence",
    "OverlappingBlocks",
    "OverlappingCases",
    "UnusualCaseDuration",
    "RoomUtilizationOutlier",
    "BlockUtilizationAnomaly",
    "TurnoverTimeAnomaly",
)


@dataclass(frozen=True, kw_only=True)
class Script:
    """A room-day that breaks one rule once. Minutes are drawn from the ranges, which all break it alike."""

    rule: str
    column: str
    """Which column of the marked row is wrong."""
    lengths: tuple[Range, ...] = ((95, 125), (110, 145), (130, 155))
    gaps: tuple[Range, ...] = ((20, 36), (20, 36))
    blocks: Blocks = ((7 * HOUR, 17 * HOUR),)
    marked: int = -1
    """Which case, or which block where there are no cases, the finding is about."""
    twist: Callable[[Case], None] | None = None
    """What is done to the marked case when its times are set."""
    whole_day: bool = False
    """The finding is about the room and day, not the row."""
    extra: Mapping[str, int] = field(default_factory=dict)
    """Findings of other rules that cannot be helped."""


def _moved(point: str, beyond: str, minutes: int) -> Callable[[Case], None]:
    def move(case: Case) -> None:
        case.points[point] = case.points[beyond] + minutes

    return move


def _swap_procedure(case: Case) -> None:
    points = case.points
    points["proc_start"], points["proc_end"] = points["proc_end"], points["proc_start"]


def _out_before_in(case: Case) -> None:
    # Times within the room are left empty: none could lie after or_in and before or_out.
    for point in ("proc_start", "proc_closing", "proc_end"):
        del case.points[point]
    case.points["or_out"] = case.points["or_in"] - 7


def _written(column: str, value: str) -> Callable[[Case], None]:
    def write(case: Case) -> None:
        case.overrides[column] = value

    return write


def _sequence(column: str, twist: Callable[[Case], None]) -> Script:
    return Script(rule="InvalidTimeSequence", column=column, twist=twist)


def _missing(column: str, value: str) -> Script:
    return Script(rule="MissingRequiredFields", column=column, twist=_written(column, value))


# Script of each kind that is loaded, and found afterwards. Where the last case is another room's or day's by its
# defect, or has no room, both it and what is left still fill 120 minutes and a fifth of the block.
SCRIPTS: dict[str, Script] = {
    "missing_patient": _missing("patient_id", ""),
    "missing_surgeon": _missing("primary_surgeon_prov_id", "  "),
    "missing_room": _missing("room_id", ""),
    "missing_location": _missing("location_id", "  "),
    # Written a century too early, as two-digit years are.
    "surgery_date_out_of_range": Script(rule="InvalidSurgeryDates", column="surgery_date"),
    "or_in_after_or_out": _sequence("or_out", _out_before_in),
    "proc_start_before_or_in": _sequence("proc_start", _moved("proc_start", "or_in", -5)),
    "proc_end_after_or_out": _sequence("proc_end", _moved("proc_end", "or_out", 4)),
    "preop_in_after_preop_out": _sequence("preop_in", _moved("preop_in", "preop_out", 3)),
    "anes_start_after_anes_end": _sequence("anes_end", _moved("anes_end", "anes_start", -5)),
    "or_in_before_preop_out": _sequence("preop_out", _moved("preop_out", "or_in", 6)),
    "proc_start_after_proc_end": _sequence("proc_end", _swap_procedure),
    "overlapping_blocks": Script(
        rule="OverlappingBlocks",
        column="slot_start_time",
        lengths=(),
        blocks=((7 * HOUR, 15 * HOUR), (14 * HOUR, 17 * HOUR)),
    ),
    "overlapping_cases": Script(
        rule="OverlappingCases",
        column="or_in",
        gaps=((20, 36), (-20, -6)),
    ),
    "case_too_short": Script(
        rule="UnusualCaseDuration",
        column="or_out",
        lengths=((95, 125), (7, 12), (130, 155)),
        marked=1,
    ),
    # A room-day that holds such a case is over 720 minutes too.
    "case_too_long": Script(
        rule="UnusualCaseDuration",
        column="or_out",
        lengths=((735, 800),),
        blocks=(),
        extra={"RoomUtilizationOutlier": 1},
    ),
    "room_day_over": Script(
        rule="RoomUtilizationOutlier",
        column="or_in",
        lengths=((150, 158),) * 5,
        gaps=((20, 30),) * 4,
        blocks=(),
        marked=0,
        whole_day=True,
    ),
    "room_day_under": Script(
        rule="RoomUtilizationOutlier",
        column="or_in",
        lengths=((60, 105),),
        blocks=(),
        whole_day=True,
    ),
    # Two long cases that begin in a half-day block; the second runs far over its end.
    "block_overused": Script(
        rule="BlockUtilizationAnomaly",
        column="slot_end_time",
        lengths=((188, 200), (188, 200)),
        gaps=((20, 32),),
        blocks=((7 * HOUR, 12 * HOUR),),
    ),
    # Under a fifth of a block and yet no less than 120 minutes a room-day: it takes a block of twelve hours.
    "block_underused": Script(
        rule="BlockUtilizationAnomaly",
        column="slot_end_time",
        lengths=((125, 138),),
        blocks=((7 * HOUR, 19 * HOUR),),
    ),
    # A turnover is told of the case that it follows.
    "turnover_too_long": Script(
        rule="TurnoverTimeAnomaly",
        column="or_out",
        gaps=((20, 36), (95, 150)),
        marked=1,
    ),
    "turnover_too_short": Script(
        rule="TurnoverTimeAnomaly",
        column="or_out",
        gaps=((20, 36), (4, 12)),
        marked=1,
    ),
}

_NIGHT: Blocks = ((19 * HOUR, 31 * HOUR + 30),)
_MORNING: Blocks = ((7 * HOUR, 17 * HOUR),)


def scripted_day(kind: str, seed: int, day: date, room: int) -> RoomDay:
    """The room-day on which a defect of this kind is planted."""
    script = SCRIPTS[kind]
    rng = SeededRandom(seed, "planted", kind, day, room)
    service = rng.weighted_choice(hospital.SERVICES, hospital.BLOCK_WEIGHTS)
    planted = RoomDay(day, room, _blocks(script.blocks, service), planted=True)
    surgeon = rng.choice(service.surgeon_ids)
    or_in = 7 * HOUR + rng.randint(4, 12)
    for place, length in enumerate(script.lengths):
        case = make_case(rng, seed, service, surgeon, case_number(day, room, place + 1))
        minutes = rng.randint(*length)
        case.sched_start, case.sched_duration = or_in - or_in % 5, 5 * round(minutes / 5)
        if not script.blocks:
            case.urgency, case.booked_at = "Urgent", case.sched_start - 90
        happen(rng, case, or_in, minutes)
        planted.cases.append(case)
        if place < len(script.gaps):
            or_in += minutes + rng.randint(*script.gaps[place])
    _plant(kind, script, planted)
    return planted


def night_and_morning(seed: int, day: date, next_day: date, room: int) -> tuple[RoomDay, RoomDay]:
    """Two days of a room without cases: the block of the first night runs into the block of the next morning."""
    service = SeededRandom(seed, "night", day, room).weighted_choice(hospital.SERVICES, hospital.BLOCK_WEIGHTS)
    night = RoomDay(day, room, _blocks(_NIGHT, service), planted=True)
    morning = RoomDay(next_day, room, _blocks(_MORNING, service), planted=True)
    morning.blocks[0].mark = Mark("overlapping_blocks", "slot_start_time")
    return night, morning


def _blocks(spans: Blocks, service: Service) -> list[Block]:
    """The first block is the service's, the others are open to all."""
    return [Block(start, end, None if place else service) for place, (start, end) in enumerate(spans)]


def _plant(kind: str, script: Script, planted: RoomDay) -> None:
    mark = Mark(kind, script.column, f"{planted.day}|{room_id(planted.room)}" if script.whole_day else None)
    if script.column.startswith("slot_"):
        planted.blocks[script.marked].mark = mark
        return
    case = planted.cases[script.marked]
    case.mark = mark
    if kind == "surgery_date_out_of_range":
        case.overrides["surgery_date"] = _a_century_early(planted.day)
    elif script.twist:
        script.twist(case)


def _a_century_early(day: date) -> str:
    # 1896 stands for 1900, which had no 29th of February: no two days may become one.
    return day.replace(year=1900 + day.year % 100 if day.year % 100 else 1896).isoformat()
