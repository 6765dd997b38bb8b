"""The practice: an invented dental office over two years, the same wherever it is made, of any size."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from etl_assets.sandbox.open_dental import people, records, visits
from etl_assets.sandbox.open_dental.books import Books
from etl_assets.sandbox.open_dental.claims import pay_checks
from etl_assets.sandbox.open_dental.office import Office
from etl_assets.sandbox.open_dental.people import balances_of
from etl_assets.sandbox.open_dental.rows import Row, at_hour, number_of
from etl_assets.sandbox.open_dental.setting_up import schedule_days, set_up
from etl_assets.sandbox.open_dental.statements import send_statements

PATIENTS = 400
TODAY = date(2026, 2, 27)
DAYS = 730
AHEAD = timedelta(days=60)


class Practice:
    """A dental practice as its tables know it at the end of a day, and its own books."""

    def __init__(
        self, seed: int = 1, *, patients: int = PATIENTS, today: date = TODAY, days: int = DAYS, clinics: int = 0
    ) -> None:
        """Have a practice work for so many days.

        Args:
            seed: Another one is another practice. The same arguments give the same rows on any machine.
            patients: How many come in the course of the time; some more are on file only.
            today: The last day of work. Appointments reach further.
            days: How many days it worked, weekends included.
            clinics: Clinics besides the headquarters, which is no clinic (ClinicNum 0); the table is empty without any.
        """
        self.seed, self.today = seed, today
        self.first = today - timedelta(days=days)
        self._office = Office(seed, self.first, today, _holidays(self.first, today + AHEAD), clinics)
        set_up(self._office, patients)
        schedule_days(self._office, AHEAD)
        people.register(self._office, patients, visits.welcome)
        opening = self._office.next_open(self.first, 3)
        self._office.later(self._office.office_hour(opening, "checks"), lambda: pay_checks(self._office))
        statements = self._office.next_open(self.first, 25)
        self._office.later(self._office.office_hour(statements, "statements"), lambda: send_statements(self._office))
        self._office.work()
        records.write(self._office)
        _write_balances(self._office)

    @property
    def tables(self) -> Mapping[str, Sequence[Row]]:
        """The rows of every table, in the order of their keys; complete, with the columns as the vendor spells them."""
        return self._office.rows.tables

    def books(self) -> Books:
        """What the practice itself noted down of its money, and what is owed to it; rows were not read for it."""
        return self._office.books


def _holidays(first: date, last: date) -> list[date]:
    fixed = ((1, 1), (7, 4), (11, 26), (12, 24), (12, 25), (12, 31))
    days = [date(year, month, day) for year in range(first.year, last.year + 1) for month, day in fixed]
    return [day for day in days if first <= day <= last]


def _write_balances(office: Office) -> None:
    """Write what is owed into the patients' files, as the vendor's program does every night; ages, into guarantors'."""
    aged, balances = office.books.aged(office.today), office.books.balances(office.today)
    night = at_hour(office.today, 22)
    for row in office.rows.tables["patient"]:
        number = number_of(row, "PatNum")
        if number in aged or number in balances:
            office.rows.touch("patient", row, night, **balances_of(aged.get(number), balances.get(number)))
