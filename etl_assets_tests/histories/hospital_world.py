"""A hospital that changes at random, and sends files of some of its days: late, moved, restated and deleted."""

import csv
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

FIRST = date(2026, 3, 2)
DAYS = 21
ROOMS, SURGEONS, SERVICES = 4, 5, 3
Row = dict[str, str]


@dataclass
class HospitalWorld:
    """What the hospital's systems hold; `deliver` writes a file of what they say of some days."""

    random: Random
    cases: dict[str, Row] = field(default_factory=dict)
    bookings: dict[str, Row] = field(default_factory=dict)
    blocks: dict[tuple[str, str], Row] = field(default_factory=dict)
    delivered: int = 0
    slip: tuple[str, str] | None = None
    """A list and a day on which something has just changed that may show on another day alone."""

    def __post_init__(self) -> None:
        for number in range(40):
            self.add_case(number)

    def day(self) -> date:
        """A day of the three weeks."""
        return FIRST + timedelta(days=self.random.randrange(DAYS))

    def add_case(self, number: int) -> None:
        """A case, as a rule with its booking, and the block that its room has that day."""
        day, room = self.day(), self.random.randrange(ROOMS)
        surgeon, service = self.random.randrange(SURGEONS), self.random.randrange(SERVICES)
        comes = datetime.combine(day, time(self.random.choice([7, 7, 9, 11, 14, 22]), 30))
        minutes = self.random.choice([45, 90, 200])
        case = f"c{number}"
        self.cases[case] = {
            "case_id": case,
            "or_case_id": f"b{number}",
            "surgery_date": str(day),
            "room_id": f"r{room}",
            "room_name": f"Room {room}",
            "location_id": "main",
            "location_name": "Main",
            "primary_surgeon": f"Surgeon {surgeon}",
            "primary_surgeon_prov_id": f"s{surgeon}",
            "primary_surgeon_specialty": "general",
            "case_service": f"SVC{service}",
            "sched_status": "Completed",
            "sched_start_time": str(comes),
            "or_in": str(comes + timedelta(minutes=self.random.choice([-5, 0, 12]))),
            "or_out": str(comes + timedelta(minutes=minutes)),
        }
        if self.random.random() < 0.8:
            self.bookings[f"b{number}"] = {
                "or_case_id": f"b{number}",
                "surgery_date": str(day + timedelta(days=self.random.choice([0, 0, 0, 1, 9]))),
                "location_id": "main",
                "location_name": "Main",
                "primary_surgeon_id": f"s{surgeon}",
                "primary_surgeon_name": f"Surgeon {surgeon}",
                "case_service": f"SVC{service}",
                "sched_status": "Scheduled",
                "sched_start_time": str(comes),
                "case_created_date": str(comes - timedelta(days=self.random.choice([0, 2, 10]))),
            }
        self.blocks[str(day), f"r{room}"] = {
            "schedule_date": str(day),
            "room_id": f"r{room}",
            "slot_start_time": "07:00",
            "slot_end_time": "17:00",
            "slot_type": "SERVICE",
            "service_code": f"SVC{service}",
            "room_name": f"Room {room}",
            "location_id": "main",
            "location_name": "Main",
        }

    def change(self) -> None:
        """Change something, anywhere."""
        self.random.choice(
            [
                self._edit,
                self._edit,
                self._move,
                self._delete,
                self._rename,
                self._cancel,
                self._add,
                self._book,
                self._book,
            ]
        )()

    def _add(self) -> None:
        self.add_case(1000 + self.random.randrange(1000))

    def _edit(self) -> None:
        row = self.cases[self.random.choice(sorted(self.cases))]
        word = self.random.choice(["or_out", "sched_start_time", "case_service", "room_id", "primary_surgeon_prov_id"])
        values = {
            "case_service": f"SVC{self.random.randrange(SERVICES + 1)}",
            "room_id": f"r{self.random.randrange(ROOMS)}",
        }
        values |= {"primary_surgeon_prov_id": f"s{self.random.randrange(SURGEONS + 1)}"}
        row[word] = values.get(word) or str(
            datetime.fromisoformat(row[word]) + timedelta(minutes=self.random.choice([7, 30]))
        )

    def _move(self) -> None:
        """To another day, by days alone: its times are then of the day before, or it moves whole."""
        row, shift = (
            self.cases[self.random.choice(sorted(self.cases))],
            timedelta(days=self.random.choice([-6, -1, 1, 8])),
        )
        row["surgery_date"] = str(date.fromisoformat(row["surgery_date"]) + shift)
        for word in ("sched_start_time", "or_in", "or_out"):
            row[word] = str(datetime.fromisoformat(row[word]) + shift)

    def _delete(self) -> None:
        if len(self.cases) > 25:
            gone = self.cases.pop(self.random.choice(sorted(self.cases)))
            self.slip = "or_case", gone["surgery_date"]

    def _rename(self) -> None:
        """A member's attributes, as all rows of one day say them: the day may be an old one."""
        day, word = str(self.day()), self.random.choice(["room_name", "primary_surgeon_specialty", "location_name"])
        for row in (*self.cases.values(), *self.blocks.values()):
            if day in (row.get("surgery_date"), row.get("schedule_date")) and word in row:
                row[word] += "*"

    def _cancel(self) -> None:
        if self.bookings:
            row = self.bookings[self.random.choice(sorted(self.bookings))]
            row["sched_status"] = "Canceled" if row["sched_status"] == "Scheduled" else "Scheduled"
            self.slip = "or_schedule", row["surgery_date"]
        row = self.cases[self.random.choice(sorted(self.cases))]
        row["sched_status"] = self.random.choice(["Canceled", "Completed"])

    def _book(self) -> None:
        """A booking turns out to be older, or newer than its case's eve; the case may be of another day."""
        if self.bookings:
            row = self.bookings[self.random.choice(sorted(self.bookings))]
            by = timedelta(days=self.random.choice([-4, -1, 1, 4]))
            row["case_created_date"] = str(datetime.fromisoformat(row["case_created_date"]) + by)
            self.slip = "or_schedule", row["surgery_date"]

    def deliver(self, folder: Path) -> None:
        """Write a file of one list: what it says of some of the days, or of all; or of the slip's day alone."""
        lists = {
            "or_case": (list(self.cases.values()), "surgery_date"),
            "or_schedule": (list(self.bookings.values()), "surgery_date"),
            "block_schedule": (list(self.blocks.values()), "schedule_date"),
        }
        name = self.random.choice(["or_case", "or_case", "or_schedule", "block_schedule"])
        days = {str(self.day()) for _ in range(self.random.choice([1, 3, 10, 60]))}
        if self.slip and self.random.random() < 0.6:
            name, day = self.slip
            days = {day}
        self.slip = None
        rows, word = lists[name]
        chosen = [row for row in rows if row[word] in days]
        if not chosen:
            return
        self.delivered += 1
        with (folder / f"{name}_{self.delivered:03}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(chosen[0]))
            writer.writeheader()
            writer.writerows(chosen)
