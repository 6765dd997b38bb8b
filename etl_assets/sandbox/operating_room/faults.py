"""Lines of a file, and the faults that make one unreadable: a loader must reject it and take the lines around it."""

from collections.abc import Sequence
from dataclasses import dataclass

from etl_assets.sandbox.operating_room.day import Mark
from etl_assets.sandbox.operating_room.rows import DATES, HEADERS
from etl_assets.sandbox.seeded_random import SeededRandom

# Kind -> table -> the column that is spoilt.
FAULTS: dict[str, dict[str, str]] = {
    "bad_date": DATES,
    "bad_timestamp": {
        "or_case": "sched_start_time",
        "or_schedule": "sched_start_time",
        "block_schedule": "released_at",
    },
    "bad_integer": {"or_case": "sched_duration", "or_schedule": "sched_duration"},
    "ragged_short": {"or_case": "", "or_schedule": "", "block_schedule": ""},
    "ragged_long": {"or_case": "", "or_schedule": "", "block_schedule": ""},
    "bad_encoding": {"or_case": "primary_procedure", "or_schedule": "primary_proc_name", "block_schedule": "comments"},
    "missing_key": {"or_case": "case_id", "or_schedule": "or_case_id", "block_schedule": "room_id"},
    "duplicate_key": {"or_case": "case_id", "or_schedule": "or_case_id", "block_schedule": "room_id"},
    "nul_byte": {"or_case": "primary_procedure", "or_schedule": "primary_proc_name", "block_schedule": "comments"},
    "unclosed_quote": {table: header[-1] for table, header in HEADERS.items()},
}

# What the fault's column says instead; \udce9 is written as the lone byte E9, which is no UTF-8.
_SPOILT = {
    "bad_date": "2024-13-45",
    "bad_timestamp": "2024-02-30 25:61:00",
    "bad_integer": "ninety",
    "bad_encoding": "R\udce9section",
    "missing_key": "",
    "nul_byte": "Biopsy\x00",
}
# What the later of two lines with one key says: that it is the later one must be told by something.
_LATER = {"or_case": "enc_discharge_dept", "or_schedule": "cancel_comments", "block_schedule": "comments"}


@dataclass(slots=True)
class Record:
    """One line of a file to be."""

    values: list[str]
    key: str
    date: str
    mark: Mark | None = None
    loseable: bool = True
    """Whether the line can be rejected without another finding for it."""
    unclosed: bool = False


def spoil(table: str, records: list[Record], kinds: Sequence[str], rng: SeededRandom) -> list[Record]:
    """The table's records with one fault of each kind named, on different lines that the rng choose.

    There are at most as many kinds as loseable records, and `unclosed_quote` is named at most once: whatever
    followed such a line would belong to its last field, so it becomes the last one.
    """
    places = [place for place, record in enumerate(records) if record.loseable]
    chosen: dict[int, str] = {}
    for kind in kinds:
        chosen[places.pop(rng.randint(0, len(places) - 1))] = kind
    spoilt: list[Record] = []
    last: list[Record] = []
    for place, record in enumerate(records):
        kind = chosen.get(place, "")
        if kind == "duplicate_key":
            spoilt.append(_marked(table, record, kind))
            spoilt.append(_later(table, record))
        elif kind == "unclosed_quote":
            last.append(_marked(table, record, kind))
        else:
            spoilt.append(_marked(table, record, kind) if kind else record)
    return spoilt + last


def line_of(record: Record) -> bytes:
    """The record as a line of a CSV file."""
    fields = [_field(value) for value in record.values]
    if record.unclosed:
        fields[-1] = f'"{record.values[-1]}'
    return (",".join(fields) + "\n").encode("utf-8", "surrogateescape")


def _field(value: str) -> str:
    # Not the csv module's: which fields it quotes has changed between versions of Python.
    return '"' + value.replace('"', '""') + '"' if "," in value or '"' in value else value


def _marked(table: str, record: Record, kind: str) -> Record:
    column = FAULTS[kind][table]
    values = list(record.values)
    if kind in _SPOILT:
        values[HEADERS[table].index(column)] = _SPOILT[kind]
    elif kind == "ragged_short":
        values = values[:-3]
    elif kind == "ragged_long":
        values += ["", "one field too many"]
    return Record(
        values, record.key, record.date, Mark(kind, column), loseable=False, unclosed=kind == "unclosed_quote"
    )


def _later(table: str, record: Record) -> Record:
    values = list(record.values)
    values[HEADERS[table].index(_LATER[table])] = "Written again"
    return Record(values, record.key, record.date, loseable=False)
