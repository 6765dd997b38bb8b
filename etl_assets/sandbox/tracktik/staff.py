"""Positions and the employees who stand in them: documents, and who works where, by day or by night."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

from etl_assets.sandbox.seeded_random import SeededRandom
from etl_assets.sandbox.tracktik import directory as listed
from etl_assets.sandbox.tracktik.directory import Site, address, noon, stamp, written
from etl_assets.sandbox.tracktik.names import EVENING, FIRST_NAMES, HOUR, LAST_NAMES, POSTS, Place, Post
from etl_assets.sandbox.tracktik.terms import Document

FIRST_POSITION, FIRST_EMPLOYEE, FIRST_PROFILE = 4001, 5001, 60_001
_SHORT = 5 * HOUR
Pool = tuple[int, bool]
"""A region, and whether its nights are meant."""


@dataclass(frozen=True)
class Standing:
    """A position, and what its roster must know of it."""

    position: int
    site: Site
    post: Post
    holidays: bool
    """Whether its hours on holidays are told."""

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        """The pool of each of its slots."""
        return tuple((self.site.place.id, start >= EVENING) for start, _ in self.post.slots)


@dataclass(frozen=True)
class Guard:
    """An employee, as the roster needs one."""

    employee: int
    until: date | None = None
    """The last day of work of somebody who leaves."""

    def on_duty(self, day: date) -> bool:
        """Whether it is no day off of theirs: one of each week, and another of every second."""
        number = day.toordinal() + 3 * self.employee
        return number % 7 != 0 and number % 14 != 4  # noqa: PLR2004 (days of the fortnight)


@dataclass
class Staff:
    """The guards of each pool, the two guards of each post that has its own, and everybody's employment profile."""

    pools: dict[Pool, list[Guard]] = field(default_factory=lambda: defaultdict(list))
    own: dict[int, tuple[Guard, Guard]] = field(default_factory=dict)
    profiles: dict[int, Document] = field(default_factory=dict)


def standings(seed: int, sites: Sequence[Site], positions: int) -> list[Standing]:
    """The positions: one of each kind of post, then as they are asked for."""
    found = []
    for count in range(positions):
        rng = SeededRandom(seed, "post", count)
        post = POSTS[count] if count < len(POSTS) else rng.weighted_choice(POSTS, [post.weight for post in POSTS])
        found.append(Standing(FIRST_POSITION + count, sites[count % len(sites)], post, rng.chance(0.8)))
    return found


def position_document(seed: int, standing: Standing, contract: int, first: date) -> Document:
    """The position as the service gives it, with both settings within."""
    number, site = standing.position, standing.site
    rng = SeededRandom(seed, "position", number)
    billing = _billing(rng, standing)
    document: Document = {
        "id": number,
        "customId": f"P-{number}",
        "name": f"{standing.post.name} {number - FIRST_POSITION + 1}",
        "description": f"{standing.post.name} at client {site.client}",
        "status": "INACTIVE" if site.until else "ACTIVE",
        "account": site.client,
        "contract": contract,
        "nonBillable": not standing.post.billed,
        "beginDate": (first - timedelta(days=rng.randint(400, 1500))).isoformat(),
        "endDate": site.until.isoformat() if site.until else None,
        "breakRule": None,
        "billingSetting": billing,
        "payrollSetting": _payroll(rng, standing, billing["rate"]),
        "taxClass": None,
        **written(rng, first),
    }
    if site.until:
        document["updatedOn"] = stamp(noon(site.until + timedelta(days=1)))
    return document


def _billing(rng: SeededRandom, standing: Standing) -> Document:
    by_rate = rng.chance(0.2)
    rate = Decimal(rng.randint(2400, 6800)).scaleb(-2)
    rule = listed.BILL_DAILY if standing.site.place.daily_rules else listed.BILL_WEEKLY
    if standing.site.client % 7 == 0:
        rule = listed.BILL_LATE
    elif standing.site.client % 11 == 4:  # noqa: PLR2004
        rule = listed.BILL_BIWEEKLY
    elif standing.site.client % 13 == 5:  # noqa: PLR2004
        rule = listed.BILL_AT_A_RATE
    # Every fifth client does not pay for overtime at all: what it costs stays with the company.
    owed = standing.site.client % 5 != 3  # noqa: PLR2004
    return {
        "id": standing.position,
        "position": standing.position,
        "type": "HOURLY",
        "billItem": None,
        "rate": rate,
        "discountRate": rng.choice((Decimal("2.50"), Decimal("5.00"))) if rng.chance(0.15) else _none_or_zero(rng),
        "holidayGroup": listed.HOLIDAY_GROUP if standing.holidays else None,
        "billBreaks": rng.weighted_choice(("NONE", "ALL", "REST_ONLY", "MEAL_ONLY"), (55, 25, 10, 10)),
        "holiday": "RATE" if by_rate else "REGULAR",
        "holidayRate": (rate * Decimal("1.4")).quantize(Decimal("0.01")) if by_rate else None,
        "holidayMultiplier": None if by_rate else Decimal("1.5"),
        "overtimeRule": rule if owed else None,
    }


def _none_or_zero(rng: SeededRandom) -> Decimal | None:
    return None if rng.chance(0.2) else Decimal("0.00")


def _payroll(rng: SeededRandom, standing: Standing, bill_rate: Decimal) -> Document:
    rate = (bill_rate * rng.randint(52, 68) / 100).quantize(Decimal("0.01"))
    return {
        "id": standing.position,
        "position": standing.position,
        "payPositionRate": True,
        "positionHourlyRate": rate,
        "holiday": "MULTIPLIER",
        "holidayRate": None,
        "holidayMultiplier": Decimal("1.5"),
        "holidayGroup": listed.HOLIDAY_GROUP if standing.holidays else None,
        "payBreaks": rng.weighted_choice(("NONE", "ALL", "REST_ONLY", "MEAL_ONLY"), (65, 20, 10, 5)),
    }


def employees(
    seed: int, count: int, places: Sequence[Place], posts: Sequence[Standing], span: tuple[date, date]
) -> tuple[dict[int, Document], Staff]:
    """The employees, and where they work: each pool gets as many as its posts need guards.

    One of 25 left before the span begins, and the last one of every third pool leaves in the midst of it.
    """
    first, last = span
    documents: dict[int, Document] = {}
    staff = Staff()
    by_id = {place.id: place for place in places}
    order = _pool_order(posts)
    working = [number for number in range(count) if number % 25 != 24]  # noqa: PLR2004 (one in 25 has left)
    for rank, number in enumerate(working):
        region, night = order[(2 * rank + 1) * len(order) // (2 * len(working))] if order else (places[0].id, False)
        staff.pools[region, night].append(Guard(FIRST_EMPLOYEE + number))
        documents[FIRST_EMPLOYEE + number] = _employee(seed, FIRST_EMPLOYEE + number, by_id[region], first)
    for number in range(24, count, 25):
        place = places[number % len(places)]
        documents[FIRST_EMPLOYEE + number] = _employee(seed, FIRST_EMPLOYEE + number, place, first)
    documents = dict(sorted(documents.items()))
    for document in documents.values():
        profile = profile_document(document, rule=listed.PAY_DAILY if by_id[document["region"]].daily_rules else None)
        staff.profiles[profile["id"]] = profile
    for number in range(24, count, 25):
        _leave(documents[FIRST_EMPLOYEE + number], staff, first - timedelta(days=30))
    _give_own_guards(staff, posts)
    for rank, pool in enumerate(sorted(staff.pools)):
        guards = staff.pools[pool]
        if rank % 3 == 0 and len(guards) > 3:  # noqa: PLR2004 (a smaller pool could not do without)
            day = first + (last - first) * (3 + rank % 4) // 8
            guards[-1] = Guard(guards[-1].employee, until=day)
            _leave(documents[guards[-1].employee], staff, day)
    return documents, staff


def _pool_order(posts: Sequence[Standing]) -> list[Pool]:
    """Each pool as often as it is needed: twice for a whole day's work, once for a short shift."""
    needed: Counter[Pool] = Counter()
    for standing in posts:
        for pool, (_, length) in zip(standing.pools, standing.post.slots, strict=True):
            needed[pool] += 4 if standing.post.one_guard else 1 if length <= _SHORT else 2
    return [pool for pool in sorted(needed) for _ in range(needed[pool])]


def _give_own_guards(staff: Staff, posts: Sequence[Standing]) -> None:
    for standing in posts:
        guards = staff.pools.get(standing.pools[0], [])
        if standing.post.one_guard and len(guards) >= 2:  # noqa: PLR2004 (two take turns)
            staff.own[standing.position] = (guards.pop(0), guards.pop(0))


def profile_document(employee: Document, *, rule: int | None = None) -> Document:
    """The employment profile of an employee; without a rule, overtime is paid by the default of the region.

    One of forty is exempt: no overtime is paid at all.
    """
    return {
        "id": employee["employmentProfile"],
        "employee": employee["id"],
        "employeeType": "EMPLOYEE",
        "employmentDate": employee["createdOn"][:10],
        "payRateType": "HOURLY",
        "overtimeExempt": employee["id"] % 40 == 7,  # noqa: PLR2004
        "overtimeRule": rule,
        "terminationDate": None,
    }


def _employee(seed: int, number: int, place: Place, first: date) -> Document:
    rng = SeededRandom(seed, "employee", number)
    given, family = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    dates = written(rng, first)
    return {
        "id": number,
        "customId": f"E-{number}",
        "firstName": given,
        "lastName": family,
        "name": f"{given} {family}",
        "jobTitle": rng.choice(("Guard", "Guard", "Senior guard", "Site lead")),
        "region": place.id,
        "primaryPhone": f"555-01{rng.randint(0, 99):02d}",
        "secondaryPhone": f"555-01{rng.randint(0, 99):02d}" if rng.chance(0.3) else None,
        "email": f"guard{number}@example.org",
        "username": f"guard{number}",
        "status": "ACTIVE",
        "gender": rng.choice(("F", "M", None)),
        "birthday": (date(1962, 1, 1) + timedelta(days=rng.randint(0, 15_000))).isoformat(),
        "address": address(rng, number, place.zone),
        "tags": list(rng.choice(((), (), ("first-aid",), ("first-aid", "driver")))),
        "language": rng.choice(("EN_US", "EN_US", "EN_US", "ES")),
        "employmentProfile": FIRST_PROFILE + number - FIRST_EMPLOYEE,
        **dates,
    }


def _leave(document: Document, staff: Staff, day: date) -> None:
    document["status"] = "TERMINATED"
    staff.profiles[document["employmentProfile"]]["terminationDate"] = day.isoformat()
    document["updatedOn"] = stamp(noon(day + timedelta(days=1)))
