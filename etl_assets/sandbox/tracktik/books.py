"""The company's books: what it knows, made when it is first asked for, and what it billed."""

import threading
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from etl_assets.declare.dates import Calendar
from etl_assets.sandbox.tracktik.attendance import Calendars, office_time
from etl_assets.sandbox.tracktik.billing import Settled, settle
from etl_assets.sandbox.tracktik.clock import CALENDAR, days_from, fortnight_of, week_of
from etl_assets.sandbox.tracktik.directory import BACK_OFFICE, FIRST_CONTRACT, PARENT_CLIENT, directory
from etl_assets.sandbox.tracktik.names import PLACES
from etl_assets.sandbox.tracktik.roster import Roster, day_of_id
from etl_assets.sandbox.tracktik.shifts import Shift
from etl_assets.sandbox.tracktik.staff import FIRST_EMPLOYEE, FIRST_PROFILE, position_document, standings
from etl_assets.sandbox.tracktik.staff import employees as staffed
from etl_assets.sandbox.tracktik.statement import Line, Period, Statement, line_of, total
from etl_assets.sandbox.tracktik.summaries import Place, Summary, summary_of
from etl_assets.sandbox.tracktik.terms import (
    NOTHING_AGREED,
    Agreement,
    Document,
    History,
    Overtime,
    agreement_of,
    overtime_of,
)

_UNAPPROVED = timedelta(days=4)
"""How long the office takes to approve a day."""
_SUMMED_UP = 0.9
"""The share of the approved days that the service has come to with its summaries."""
_LAST_ID = 10**11
"""Higher ids would be of days that no calendar has."""
FIRST_DAY = date(2025, 12, 26)
"""Of billing period 2026_01."""


class Books:
    """An invented guard company, as far as it is asked for. Every method may be called from any thread."""

    def __init__(
        self,
        seed: int = 1,
        *,
        first: date = FIRST_DAY,
        last: date | None = None,
        periods: int = 5,
        clients: int = 25,
        positions: int = 60,
        employees: int | None = None,
        shifts_a_day: int = 143,
        calendar: Calendar = CALENDAR,
        now: datetime | None = None,
    ) -> None:
        """Make the directory; shifts are made when they are first asked for, a day at a time.

        Args:
            seed: Another one is another company. The same arguments give the same bytes on any machine.
            first: The first day on which shifts begin.
            last: The last one; without it the end of so many `periods` of the calendar, beginning with that of `first`.
            periods: How many billing periods, where `last` is not said.
            clients: The large client, its sites and some others; at least 12.
            positions: How many; shifts are spread over them.
            employees: How many; without it as many as so many shifts a day need, which is 150 of 143.
            shifts_a_day: About 2,000 a period by default; none at all is allowed, for shifts that are added by hand.
            calendar: The billing periods that `billed` sums up by.
            now: What the company's clock shows, in any zone; without it 18:00 UTC on the last day.
        """
        self.seed, self.calendar = seed, calendar
        self.lock = threading.RLock()
        self.version = 0
        """Counts the changes, so that whoever keeps an answer knows when it is stale."""
        self.first, self.last = first, last or _end(calendar, first, periods)
        self.now = now or office_time(self.last)
        self.approved_until = self.now.date() - _UNAPPROVED
        self.summed_until = first + timedelta(days=int((self.approved_until - first).days * _SUMMED_UP))
        self._made: set[date] = set()
        self._days: dict[date, dict[int, Shift]] = {}
        self._shifts: dict[int, Shift] = {}
        self._fortnights: dict[date, dict[int, Settled]] = {}
        self._held: dict[int, Summary] = {}
        self._deleted: set[tuple[str, int]] = set()
        self._added = 0
        self._furnish(clients, positions, round(shifts_a_day * 1.05) if employees is None else employees, shifts_a_day)

    def documents(self, path: str) -> dict[int, Document]:
        """What the service lists under a path that is no shift's, by id."""
        held = self._shelf(path)
        return {number: document for number, document in held.items() if (path, number) not in self._deleted}

    def document(self, path: str, number: int) -> Document | None:
        """One of these; none where there is no such, or none any more."""
        return None if (path, number) in self._deleted else self._shelf(path).get(number)

    def shift(self, number: int) -> Shift | None:
        """A shift by its id; none where there is no such shift, or none any more."""
        with self.lock:
            if 0 < number < _LAST_ID:
                self._make(day_of_id(number))
            return self._shifts.get(number)

    def shifts(self, first: date | None = None, last: date | None = None) -> list[Shift]:
        """The shifts that begin in a span by their sites' own dates, both ends included; all without one. By id."""
        with self.lock:
            begin, end = first or date.min, last or date.max
            for day in days_from(max(begin, self.first), min(end, self.last)):
                self._make(day)
            found = [shift for day in self._days if begin <= day <= end for shift in self._days[day].values()]
        return sorted(found, key=lambda shift: shift.id)

    def agreement(self, shift: Shift) -> Agreement:
        """What was agreed of its position when it begins."""
        history = self._agreed.get(shift.position)
        return history.at(shift.start) if history else NOTHING_AGREED

    def pay_overtime(self, shift: Shift) -> Overtime | None:
        """By which rule overtime is paid to its employee: one of their own, or the company's; none where exempt."""
        if shift.employee is None:
            return None
        profile = self.employment_profiles[FIRST_PROFILE + shift.employee - FIRST_EMPLOYEE]
        if profile["overtimeExempt"]:
            return None
        default = self.back_office_settings[BACK_OFFICE]["payrollOvertimeRule"]
        return self._overtime.get(profile["overtimeRule"] or default)

    def place(self, position: int) -> Place:
        """Where a position lies, also one that was deleted; nowhere if nobody ever knew it."""
        document = self.positions.get(position)
        if document is None:
            return Place()
        client = self.clients[document["account"]]
        return Place(account=client["id"], region=client["region"], contract=document["contract"])

    def settled(self, shift: Shift) -> Settled:
        """A shift as it comes to in its two weeks, premiums apart."""
        with self.lock:
            return self._fortnight(fortnight_of(shift.day))[shift.id]

    def summary(self, shift: Shift) -> Summary | None:
        """What the service has worked out of a shift; none of the newest, the cancelled and the vacant."""
        if not self.is_summed_up(shift):
            return None
        held = self._held.get(shift.id)
        return held or summary_of(self.settled(shift), self.place(shift.position))

    def is_summed_up(self, shift: Shift) -> bool:
        """Whether it has a summary."""
        come_to = shift.approved is not None and shift.day <= self.summed_until
        return shift.works and (come_to or shift.id in self._held)

    def summaries(self, first: date | None = None, last: date | None = None) -> list[Summary]:
        """The summaries whose work week begins in a span, both ends included; all without one. By id."""
        with self.lock:
            begin = week_of(first) if first else None
            end = week_of(last) + timedelta(days=6) if last else None
            # A summary that lags may tell of another week than its shift is in.
            shifts = {shift.id: shift for shift in self.shifts(begin, end)}
            shifts |= {number: self._shifts[number] for number in self._held if number in self._shifts}
            found = [summary for number in sorted(shifts) if (summary := self.summary(shifts[number]))]
        return [one for one in found if (first or date.min) <= one.period_date <= (last or date.max)]

    def billed(self, *period_ids: str) -> Statement:
        """What was billed and paid, by the definitions alone, in the billing periods named; in all where none is.

        A period has the shifts that begin in it by their sites' own dates. Its totals leave out the cancelled ones;
        `Statement.shifts` has them too, with their planned hours.
        """
        lines: dict[int, Line] = {}
        periods: dict[str, Period] = {}
        with self.lock:
            # A shift may have been moved out of the days that the company was made for.
            span = min(self.first, *self._days, self.last), max(self.last, *self._days, self.first)
            named = [self.calendar.named(period) for period in period_ids]
            for period in named or self.calendar.between(*span):
                own = list(self._lines(self.shifts(period.first, period.last)))
                counted = [line for line in own if line.counts]
                lines |= {line.shift_id: line for line in own}
                periods[period.id] = Period(period.id, len(counted), total(counted))
        return Statement(periods, lines)

    def _lines(self, shifts: Iterable[Shift]) -> Iterator[Line]:
        for shift in shifts:
            yield line_of(self.settled(shift), self.summary(shift), self.place(shift.position).account)

    def _make(self, day: date) -> None:
        """Make the shifts of a day, once."""
        if day in self._made or not self.first <= day <= self.last:
            return
        self._made.add(day)
        made = {shift.id: shift for shift in self._roster.day(day)}
        self._shifts |= made
        self._days[day] = self._days.get(day, {}) | made

    def _fortnight(self, begin: date) -> dict[int, Settled]:
        if begin not in self._fortnights:
            found = settle(self.shifts(begin, begin + timedelta(days=13)), self.agreement, self.pay_overtime)
            self._fortnights[begin] = {settled.shift.id: settled for settled in found}
        return self._fortnights[begin]

    def _furnish(self, clients: int, positions: int, employees: int, shifts_a_day: int) -> None:
        """Make everything but the shifts."""
        seed, span = self.seed, (self.first, self.last)
        listed = directory(seed, clients, *span)
        self.regions, self.clients, self.contracts = listed.regions, listed.clients, listed.contracts
        self.overtime_rules, self.holiday_groups = listed.overtime_rules, listed.holiday_groups
        self.payroll_codes, self.back_office_settings = listed.payroll_codes, listed.back_office_settings
        posts = standings(seed, listed.sites, positions)
        self.positions = {
            post.position: position_document(seed, post, contract_of(post.site.client), self.first) for post in posts
        }
        self.employees, staff = staffed(seed, employees, PLACES, posts, span)
        self.employment_profiles = staff.profiles
        calendars = Calendars(*span, self.now, self.approved_until)
        self._roster = Roster(seed, posts, staff, shifts_a_day, calendars)
        self._overtime: dict[int | None, Overtime] = {
            number: overtime_of(rule) for number, rule in self.overtime_rules.items()
        }
        self._agreed: dict[int, History] = {}
        for position in self.positions.values():
            self._agree(position)

    def _shelf(self, path: str) -> dict[int, Document]:
        found: dict[int, Document] = getattr(self, path.replace("-", "_"))
        return found

    def _agree(self, position: Document) -> None:
        """Note what the position's document says, from the moment on at which it was written."""
        history = self._agreed.setdefault(position["id"], History())
        history.agree(datetime.fromisoformat(position["updatedOn"]), agreement_of(position, self._overtime))


def contract_of(client: int) -> int:
    """The id of a client's contract."""
    return FIRST_CONTRACT + client - PARENT_CLIENT


def _end(calendar: Calendar, first: date, periods: int) -> date:
    place = calendar.periods.index(calendar.period_of(first)) + periods - 1
    return calendar.periods[place].last
