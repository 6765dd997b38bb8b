"""An independent, plain reading of the operating-room files: what a loader must reject, and what the rules must find.

It knows nothing of how the files are made; it goes by what the rules say, one loop for each.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import combinations
from pathlib import Path

Row = dict[str, str]

DATE = {"block_schedule": "schedule_date", "or_case": "surgery_date", "or_schedule": "surgery_date"}
KEY = {
    "block_schedule": ("schedule_date", "room_id", "slot_start_time"),
    "or_case": ("case_id",),
    "or_schedule": ("or_case_id",),
}
TIMESTAMPS = """
    hosp_admsn_time hosp_disch_time periop_arrival preop_in preop_out or_in anes_start proc_start proc_closing
    proc_end or_out anes_end pacu_in pacu_out pacu2_in pacu2_out proc_care_complete sched_start_time
    record_create_date panel1_start_at case_created_date projected_start_time projected_end_time cancel_date
    record_update_dt released_at
"""
INTEGERS = ("sched_duration", "setup_offset", "cleanup_offset", "num_of_panels")
REQUIRED = ("patient_id", "room_id", "location_id", "primary_surgeon_prov_id")
# The first of each is not after the second.
IN_ORDER = (
    ("or_in", "or_out"),
    ("proc_start", "proc_end"),
    ("anes_start", "anes_end"),
    ("preop_in", "preop_out"),
    ("preop_out", "or_in"),
    ("or_in", "proc_start"),
    ("proc_end", "or_out"),
)


@dataclass
class Read:
    """The rows that can be loaded, by table, and the lines that cannot: (file, line)."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    rejected: list[tuple[str, int]] = field(default_factory=list)


def read(files: Iterable[Path]) -> Read:
    found = Read()
    for path in files:
        table = next(name for name in DATE if path.name.startswith(name))
        taken: dict[tuple[str, ...], int] = {}
        rows: dict[int, Row] = {}
        lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
        header = lines[0].decode().split(",")
        for number, line in enumerate(lines[1:], 2):
            row = readable(table, header, line)
            if row is None:
                found.rejected.append((path.name, number))
                continue
            key = tuple(row[column] for column in KEY[table])
            if key in taken:
                found.rejected.append((path.name, taken[key]))
                del rows[taken[key]]
            taken[key] = number
            rows[number] = row
        found.rows[table] += rows.values()
    return found


def readable(table: str, header: list[str], line: bytes) -> Row | None:
    try:
        [fields] = csv.reader([line.decode("utf-8")], strict=True)
        row = dict(zip(header, fields, strict=True))
        date.fromisoformat(row[DATE[table]])
        for column in TIMESTAMPS.split():
            if row.get(column):
                datetime.fromisoformat(row[column])
        for column in INTEGERS:
            if row.get(column):
                int(row[column])
    except (ValueError, csv.Error):  # UnicodeDecodeError is a ValueError
        return None
    return row if all(row[column] for column in KEY[table]) and b"\x00" not in line else None


def minutes(span: timedelta) -> float:
    return span.total_seconds() / 60


def at(row: Row, point: str) -> datetime:
    return datetime.fromisoformat(row[point])


def done(cases: Iterable[Row]) -> list[Row]:
    return sorted((case for case in cases if case["or_in"] and case["or_out"]), key=lambda case: case["or_in"])


def by_room_day(cases: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    days: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for case in cases:
        days[case["surgery_date"], case["room_id"]].append(case)
    return days


def length(case: Row) -> float:
    return minutes(at(case, "or_out") - at(case, "or_in"))


def block_span(block: Row) -> tuple[datetime, datetime]:
    day = date.fromisoformat(block["schedule_date"])
    start = datetime.combine(day, time.fromisoformat(block["slot_start_time"]))
    end = datetime.combine(day, time.fromisoformat(block["slot_end_time"]))
    return start, end if end > start else end + timedelta(days=1)


def begun_in_block(block: Row, cases: list[Row]) -> float:
    """All the minutes of the cases that begin in the block, as the rule's origin counts them."""
    start, end = block_span(block)
    return sum(length(case) for case in done(cases) if start <= at(case, "or_in") < end)


def inside_block(block: Row, cases: list[Row]) -> float:
    """Only the minutes within the block."""
    start, end = block_span(block)
    return sum(max(0.0, minutes(min(end, at(case, "or_out")) - max(start, at(case, "or_in")))) for case in done(cases))


def whole_room_day(_block: Row, cases: list[Row]) -> float:
    """All the minutes of all the room's cases of the day."""
    return sum(length(case) for case in done(cases))


def owners_only(block: Row, cases: list[Row]) -> float:
    """Only the minutes within the block of the service that owns it."""
    return inside_block(block, [case for case in cases if case["case_service"] == block["service_code"]])


def findings(
    rows: dict[str, list[Row]], last: date, used: Callable[[Row, list[Row]], float] = begun_in_block
) -> dict[str, list[str]]:
    """Rule -> keys of what breaks it. A reversed case has no duration, and overlapping cases no turnover."""
    cases, blocks = rows["or_case"], rows["block_schedule"]
    return {
        "InvalidSurgeryDates": [
            case["case_id"]
            for case in cases
            if not date(2000, 1, 1) <= date.fromisoformat(case["surgery_date"]) <= last + timedelta(days=731)
        ],
        "MissingRequiredFields": [case["case_id"] for case in cases for name in REQUIRED if not case[name].strip()],
        "InvalidTimeSequence": [
            case["case_id"]
            for case in cases
            for earlier, later in IN_ORDER
            if case[earlier] and case[later] and at(case, earlier) > at(case, later)
        ],
        "OverlappingBlocks": overlapping_blocks(blocks),
        "OverlappingCases": overlapping_cases(cases),
        "UnusualCaseDuration": [
            case["case_id"] for case in done(cases) if length(case) >= 0 and not 15 <= length(case) <= 720
        ],
        "RoomUtilizationOutlier": [
            "|".join(day)
            for day, held in by_room_day(cases).items()
            if not 120 <= sum(max(0.0, length(case)) for case in done(held)) <= 720
        ],
        "BlockUtilizationAnomaly": unusual_blocks(blocks, cases, used),
        "TurnoverTimeAnomaly": [
            earlier["case_id"]
            for held in by_room_day(cases).values()
            for earlier, later in zip(done(held), done(held)[1:], strict=False)
            if (gap := minutes(at(later, "or_in") - at(earlier, "or_out"))) >= 0 and not 15 <= gap <= 90
        ],
    }


def overlapping_blocks(blocks: list[Row]) -> list[str]:
    rooms: dict[str, list[Row]] = defaultdict(list)
    for block in sorted(blocks, key=block_span):
        rooms[block["room_id"]].append(block)
    # None is longer than a day, so none reaches a block that is five further on.
    return [
        "|".join(other[column] for column in KEY["block_schedule"])
        for held in rooms.values()
        for place, block in enumerate(held)
        for other in held[place + 1 : place + 6]
        if block_span(other)[0] < block_span(block)[1] and block_span(block)[0] < block_span(other)[1]
    ]


def overlapping_cases(cases: list[Row]) -> list[str]:
    """Also those of two schedule dates: a case may end after midnight."""
    rooms: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for case in done(cases):
        for day in {case["or_in"][:10], case["or_out"][:10]} if case["room_id"] else ():
            rooms[case["room_id"], day].append(case)
    pairs = {
        (earlier["case_id"], later["case_id"])
        for held in rooms.values()
        for earlier, later in combinations(held, 2)
        if later["or_in"] < earlier["or_out"] and earlier["or_in"] < later["or_out"]
    }
    return [later for _, later in sorted(pairs)]


def unusual_blocks(blocks: list[Row], cases: list[Row], used: Callable[[Row, list[Row]], float]) -> list[str]:
    days = by_room_day(cases)
    found = []
    for block in blocks:
        held = days.get((block["schedule_date"], block["room_id"]), [])
        if used is owners_only:
            held = [case for case in held if case["case_service"] == block["service_code"]]
        start, end = block_span(block)
        if held and not 0.20 <= used(block, held) / minutes(end - start) <= 1.20:
            found.append("|".join(block[column] for column in KEY["block_schedule"]))
    return found
