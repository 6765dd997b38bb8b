"""The company as people change it: every method is what somebody does in the real system, at a moment the caller says.

What was billed, the summaries and the service's answers follow at once, but for a summary that is held back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from etl_assets.sandbox.tracktik.attendance import hours_on_holidays
from etl_assets.sandbox.tracktik.books import Books
from etl_assets.sandbox.tracktik.clock import fortnight_of, later, zone_of
from etl_assets.sandbox.tracktik.directory import stamp
from etl_assets.sandbox.tracktik.money import to_hours
from etl_assets.sandbox.tracktik.roster import MOST_A_DAY, first_id
from etl_assets.sandbox.tracktik.shifts import Session, Shift
from etl_assets.sandbox.tracktik.staff import profile_document
from etl_assets.sandbox.tracktik.terms import Document

_FIXED = {"id", "created", "modified"}
_CHANGEABLE = {field.name for field in fields(Shift)} - _FIXED


class Company(Books):
    """An invented guard company that can be changed. `at` is an aware moment, which becomes updatedOn or modifiedOn."""

    def move_employee(self, employee: int, region: int, *, at: datetime) -> None:
        """Let an employee belong to another region."""
        self._change("employees", employee, at, {"region": region})

    def rename_region(self, region: int, name: str, *, at: datetime) -> None:
        """Give a region another name."""
        self._change("regions", region, at, {"name": name})

    def change_employee(self, employee: int, *, at: datetime, **changes: object) -> None:
        """Change fields of an employee, by the service's names."""
        self._change("employees", employee, at, changes)

    def change_profile(self, employee: int, **changes: object) -> None:
        """Change fields of an employee's profile, by the service's names. What is paid follows, in the past too."""
        with self._changing():
            profile = self._find("employment-profiles", self._find("employees", employee)["employmentProfile"])
            _update(profile, changes, f"profile of employee {employee}")
            self._fortnights.clear()

    def change_client(self, client: int, *, at: datetime, **changes: object) -> None:
        """Change fields of a client, by the service's names."""
        self._change("clients", client, at, changes)

    def change_position(
        self,
        position: int,
        *,
        at: datetime,
        billing: dict[str, object] | None = None,
        payroll: dict[str, object] | None = None,
        **changes: object,
    ) -> None:
        """Change fields of a position and of its two settings, by the service's names; rates are Decimals.

        What is agreed holds for the shifts that begin at `at` or later; those before keep what held for them.

        Raises:
            ValueError: `at` is not after the position's last change.
        """
        with self._at(at):
            document = self._find("positions", position)
            if at <= datetime.fromisoformat(document["updatedOn"]):
                raise ValueError(f"{at} is not after {document['updatedOn']}, when position {position} changed last")
            for setting, changed in (("billingSetting", billing or {}), ("payrollSetting", payroll or {})):
                _update(document[setting], changed, f"{setting} of position {position}")
            _update(document, changes, f"position {position}")
            document["updatedOn"] = stamp(at)
            self._agree(document)
            self._fortnights.clear()

    def deactivate_employee(self, employee: int, *, at: datetime) -> None:
        """Let an employee go. The shifts that they have stay theirs until somebody changes these."""
        with self._at(at):
            self._change("employees", employee, at, {"status": "TERMINATED"})
            profile = self._find("employment-profiles", self.employees[employee]["employmentProfile"])
            profile["terminationDate"] = at.date().isoformat()

    def deactivate_client(self, client: int, *, at: datetime, status: str = "INACTIVE") -> None:
        """Lose a client, or close a site; its positions and shifts stay."""
        self._change("clients", client, at, {"status": status, "closedDate": at.date().isoformat()})

    def hire(self, region: int, *, at: datetime, **changes: object) -> int:
        """Add an employee like the last one, and give the id."""
        with self._at(at):
            like, number = self.employees[max(self.employees)], max(self.employees) + 1
            hired = {
                **like,
                "id": number,
                "customId": f"E-{number}",
                "email": f"guard{number}@example.org",
                "username": f"guard{number}",
                "status": "ACTIVE",
                "region": region,
                "createdOn": stamp(at),
                "employmentProfile": max(self.employment_profiles) + 1,
            }
            self.employees[number] = hired
            self.employment_profiles[hired["employmentProfile"]] = profile_document(hired)
            self._change("employees", number, at, changes)
        return number

    def delete(self, path: str, number: int) -> None:
        """Delete one of anything but a shift for good: it is in no list, and its address answers 404.

        Shifts that name it go on naming it, and what is billed for them stays.
        """
        with self._changing():
            self._find(path, number)
            self._deleted.add((path, number))

    def add_shift(
        self,
        position: int,
        employee: int | None,
        start: datetime,
        hours: float | Decimal,
        *,
        at: datetime,
        **changes: Any,
    ) -> int:
        """Add a shift, and give its id.

        Args:
            position: One of the company's; its client's zone is the shift's.
            employee: None where it is vacant.
            start: Aware, or the time by the clock of the site.
            hours: Real hours to the end.
            at: When it is added.
            changes: Other attributes of `Shift`, such as `break_minutes` or `approved`. Without any it is not
                approved, has no break and no clock-in, and the service tells its rates from its position.
        """
        with self._at(at):
            zone = zone_of(self.clients[self._find("positions", position)["account"]]["timeZone"])
            start = start.astimezone(zone) if start.tzinfo else start.replace(tzinfo=zone)
            self._added += 1
            number = first_id(start.date()) + MOST_A_DAY + self._added
            shift = Shift(number, position, employee, start, later(start, float(hours) * 3600), at, at)
            self._set(shift, at, changes)
            self._shifts[number] = shift
            self._days.setdefault(shift.day, {})[number] = shift
            self._fortnights.pop(fortnight_of(shift.day), None)
        return number

    def change_shift(self, shift: int, *, at: datetime, **changes: Any) -> None:
        """Change attributes of a shift, by the names of `Shift`.

        Raises:
            KeyError: There is no such shift.
            TypeError: `Shift` has no such attribute, or it cannot be changed.
        """
        with self._at(at):
            found = self._shift(shift)
            before = found.day
            self._set(found, at, changes)
            self._fortnights.pop(fortnight_of(before), None)
            del self._days[before][shift]
            self._days.setdefault(found.day, {})[shift] = found
            self._fortnights.pop(fortnight_of(found.day), None)

    def move_shift(self, shift: int, days: int, *, at: datetime) -> None:
        """Let a shift begin so many days later (or earlier) at the same time of day, its clock-ins with it."""
        with self._at(at):
            found, by = self._shift(shift), timedelta(days=days)
            start, end = found.start + by, found.end + by
            self.shifts(start.date(), start.date())
            self.change_shift(
                shift,
                at=at,
                start=start,
                end=end,
                holiday_hours=None if found.holiday_hours is None else hours_on_holidays(start, end),
                sessions=[
                    Session(one.start + by, one.end and one.end + by, one.clocked_in, one.clocked_out)
                    for one in found.sessions
                ],
            )

    def cancel_shift(self, shift: int, *, at: datetime) -> None:
        """Cancel a shift; what was clocked and approved of it stays written down."""
        self.change_shift(shift, at=at, status="CANCELLED")

    def delete_shift(self, shift: int, *, at: datetime) -> None:
        """Delete a shift for good, its clock-ins and its summary with it."""
        with self._at(at):
            found = self._shift(shift)
            self._fortnights.pop(fortnight_of(found.day), None)
            del self._days[found.day][shift], self._shifts[shift]
            self._held.pop(shift, None)

    def assign_shift(self, shift: int, employee: int | None, *, at: datetime) -> None:
        """Give a shift to an employee, or to nobody."""
        self.change_shift(shift, at=at, employee=employee, on_shift_board=False)

    def approve_hours(self, shift: int, hours: float | Decimal | None = None, *, at: datetime) -> None:
        """Approve hours of a shift: those named, else those that were clocked, else those that were planned."""
        with self._at(at):
            found = self._shift(shift)
            approved = (found.clocked or found.planned) if hours is None else to_hours(Decimal(str(hours)))
            self.change_shift(shift, at=at, approved=approved)

    def sum_up(self, until: date) -> None:
        """Let the service come to the summaries of shifts up to and with a day."""
        with self._changing():
            self.summed_until = until

    def hold_summary(self, shift: int) -> None:
        """Let a shift's summary stay as it is, whatever becomes of the shift.

        Raises:
            ValueError: It has none.
        """
        with self._changing():
            summary = self.summary(self._shift(shift))
            if summary is None:
                raise ValueError(f"shift {shift} has no summary that could be held back")
            self._held[shift] = summary

    def release_summary(self, shift: int) -> None:
        """Let a summary that was held back follow its shift again."""
        with self._changing():
            del self._held[shift]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self.lock:
            yield
            self.version += 1

    @contextmanager
    def _at(self, at: datetime) -> Iterator[None]:
        if at.tzinfo is None:
            raise ValueError(f"{at} says no zone; people change things at a moment")
        with self._changing():
            yield

    def _change(self, path: str, number: int, at: datetime, changes: dict[str, object]) -> None:
        with self._at(at):
            document = self._find(path, number)
            _update(document, changes, f"{path} {number}")
            document["updatedOn"] = stamp(at)

    def _find(self, path: str, number: int) -> Document:
        found = self.document(path, number)
        if found is None:
            raise KeyError(f"{path} {number}")
        return found

    def _shift(self, number: int) -> Shift:
        found = self.shift(number)
        if found is None:
            raise KeyError(f"shift {number}")
        return found

    @staticmethod
    def _set(shift: Shift, at: datetime, changes: dict[str, Any]) -> None:
        unknown = changes.keys() - _CHANGEABLE
        if unknown:
            raise TypeError(f"nobody can change {', '.join(sorted(unknown))} of a shift")
        for name, value in changes.items():
            setattr(shift, name, value)
        shift.modified = at.astimezone(UTC)


def _update(document: Document, changes: dict[str, object], what: str) -> None:
    unknown = changes.keys() - document.keys()
    if unknown:
        raise TypeError(f"{what} has no {', '.join(sorted(unknown))}")
    document.update(changes)
