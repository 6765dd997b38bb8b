"""The shifts of a day: which posts are manned, and by whom.

A day depends on nothing but the seed, the date and the size of the company, so days can be made in any order, and none
is made before it is asked for.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from etl_assets.sandbox.seeded_random import SeededRandom
from etl_assets.sandbox.tracktik.attendance import Calendars, come_about
from etl_assets.sandbox.tracktik.clock import on_site, zone_of
from etl_assets.sandbox.tracktik.directory import noon
from etl_assets.sandbox.tracktik.names import HOUR
from etl_assets.sandbox.tracktik.shifts import Shift
from etl_assets.sandbox.tracktik.staff import Guard, Pool, Staff, Standing

EPOCH = date(2000, 1, 1)
IDS_A_DAY = 100_000
MOST_A_DAY = 50_000
"""Ids from here on, within a day, are of shifts that somebody adds by hand."""
UNKNOWN_POSITIONS = {3: 990_001, 17: 990_002}
"""The day after the first -> a position that a shift of it names, and that no list has."""
_LONGEST = 14 * HOUR
_LOOKED_AT = 80  # guards who are asked before a shift stays vacant; every one of them would take too long


@dataclass(frozen=True)
class Slot:
    """A place in the roster of every day."""

    standing: Standing
    start: int
    length: int
    pool: Pool


@dataclass
class Day:
    """Who is taken on a day, in minutes of the site's own clock."""

    date: date
    taken: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    turn: dict[Pool, int] = field(default_factory=dict)

    def is_free(self, guard: Guard, start: int, end: int) -> bool:
        """Whether the guard works here still, has nothing else then, and not too much that day."""
        if guard.until and self.date > guard.until:
            return False
        held = self.taken.get(guard.employee, ())
        return all(end <= begin or start >= until for begin, until in held) and (
            not held or end - start + sum(until - begin for begin, until in held) <= _LONGEST
        )


def first_id(day: date) -> int:
    """The number that the ids of a day's shifts begin after."""
    return (day - EPOCH).days * IDS_A_DAY


def day_of_id(shift: int) -> date:
    """The day on which a shift began when it was made."""
    return EPOCH + timedelta(days=shift // IDS_A_DAY)


class Roster:
    """Makes the shifts of a day."""

    def __init__(self, seed: int, posts: list[Standing], staff: Staff, shifts_a_day: int, calendars: Calendars) -> None:
        if not 0 <= shifts_a_day < MOST_A_DAY:
            raise ValueError(f"{shifts_a_day} shifts a day are not in 0..{MOST_A_DAY - 1}")
        self._seed, self._staff, self._calendars = seed, staff, calendars
        slots = [
            Slot(standing, start, length, pool)
            for standing in posts
            for (start, length), pool in zip(standing.post.slots, standing.pools, strict=True)
        ]
        self._single = [slot for slot in slots if slot.standing.post.one_guard][:shifts_a_day]
        self._shared = [slot for slot in slots if not slot.standing.post.one_guard]
        self._times = (shifts_a_day - len(self._single)) / max(1, len(self._shared))

    def day(self, day: date) -> list[Shift]:
        """Every shift that begins on a day by the clock of its site, in order of their ids."""
        rng = SeededRandom(self._seed, "day", day)
        state = Day(day)
        made = []
        for number, slot in enumerate(self._slots(day), first_id(day) + 1):
            zone = zone_of(slot.standing.site.place.zone)
            created = noon(day - timedelta(days=rng.randint(15, 40)))
            employee = None if rng.chance(0.025) else self._guard(state, slot)
            shift = Shift(
                id=number,
                position=slot.standing.position,
                employee=employee,
                start=on_site(day, slot.start, zone),
                end=on_site(day, slot.start + slot.length, zone),
                created=created,
                modified=created,
                break_minutes=slot.standing.post.break_minutes,
            )
            come_about(rng, shift, self._calendars, holidays=slot.standing.holidays)
            made.append(shift)
        _name_unknown_position(made, UNKNOWN_POSITIONS.get((day - self._calendars.first).days))
        return made

    def _slots(self, day: date) -> list[Slot]:
        """The slots of a day, each as often as the size of the company asks, by the time at which they begin."""
        times, begin = self._times, day.toordinal() % max(1, len(self._shared))
        chosen = list(self._single)
        for place, slot in enumerate(self._shared, begin):
            chosen += [slot] * (int((place + 1) * times) - int(place * times))
        open_slots = [slot for slot in chosen if not slot.standing.site.until or day <= slot.standing.site.until]
        return sorted(open_slots, key=lambda slot: (slot.start, slot.standing.position))

    def _guard(self, state: Day, slot: Slot) -> int | None:
        """Whose turn it is; somebody on a day off where nobody else is free, and nobody if none is."""
        if slot.standing.post.one_guard:
            own = self._staff.own.get(slot.standing.position)
            return own[state.date.toordinal() % 2].employee if own else None
        guards = self._staff.pools.get(slot.pool, [])
        turn = state.turn.get(slot.pool, state.date.toordinal() * 7)
        for on_duty in (True, False):
            for place in range(turn, turn + min(len(guards), _LOOKED_AT)):
                guard = guards[place % len(guards)]
                if guard.on_duty(state.date) is on_duty and state.is_free(guard, slot.start, slot.start + slot.length):
                    state.taken[guard.employee].append((slot.start, slot.start + slot.length))
                    state.turn[slot.pool] = place + 1
                    return guard.employee
        return None


def _name_unknown_position(shifts: list[Shift], position: int | None) -> None:
    for shift in shifts:
        if position is not None and shift.works and shift.billable and not shift.paid_time_off:
            shift.position, shift.break_minutes, shift.holiday_hours = position, 0, None
            shift.bill_rate, shift.pay_rate, shift.says_rates = Decimal("30.00"), Decimal("18.40"), True
            return
