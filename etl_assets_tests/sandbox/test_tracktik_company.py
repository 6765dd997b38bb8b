"""The invented company: the same anywhere, of any size, and believable where a loader could be led astray."""

import hashlib
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from etl_assets.declare.dates import Calendar
from etl_assets.sandbox.tracktik.answers import rendered
from etl_assets.sandbox.tracktik.clock import CALENDAR, week_of
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.documents import documents
from etl_assets.sandbox.tracktik.resources import RESOURCES


@pytest.fixture(scope="module")
def company() -> Company:
    return Company()


def fingerprint(company: Company) -> str:
    found = hashlib.sha256()
    for resource in RESOURCES.values():
        for document in documents(company, resource, extras=True):
            found.update(rendered(document).encode())
    return found.hexdigest()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    same = fingerprint(Company(seed=3, last=date(2026, 1, 1)))
    assert same == fingerprint(Company(seed=3, last=date(2026, 1, 1)))
    assert same != fingerprint(Company(seed=4, last=date(2026, 1, 1)))


def test_days_can_be_asked_for_in_any_order() -> None:
    forwards, backwards = (Company(last=date(2026, 1, 1)) for _ in range(2))
    for place in reversed(range(7)):
        day = backwards.first + timedelta(days=place)
        assert backwards.shifts(day, day)
    assert fingerprint(forwards) == fingerprint(backwards)


def test_a_longer_span_begins_with_the_same_shifts() -> None:
    def planned(company: Company) -> list[tuple[object, ...]]:
        shifts = company.shifts(company.first, company.first + timedelta(days=2))
        return [(shift.id, shift.position, shift.start, shift.end, shift.status) for shift in shifts]

    assert planned(Company(periods=1)) == planned(Company(periods=3))


def test_nothing_is_made_before_it_is_asked_for() -> None:
    company = Company(first=date(2015, 1, 2), last=date(2045, 1, 5))
    assert 100 < len(company.shifts(date(2030, 5, 1), date(2030, 5, 1))) < 200
    assert 200 < len(company.shifts(date(2031, 5, 1), date(2031, 5, 2))) < 400


def test_its_size_is_what_is_asked_for(company: Company) -> None:
    periods = company.billed().periods
    assert list(periods) == ["2026_01", "2026_02", "2026_03", "2026_04", "2026_05"]
    assert all(1600 < period.shifts < 2100 for period in periods.values())
    assert (len(company.clients), len(company.employees), len(company.positions)) == (25, 150, 60)
    large = Company(periods=1, shifts_a_day=1000, clients=80, positions=300)
    assert len(large.shifts(large.first, large.first)) == pytest.approx(1000, abs=60)
    assert len(large.employees) == 1050


def test_too_few_clients_are_refused() -> None:
    with pytest.raises(ValueError, match="11 clients are too few"):
        Company(clients=11)


def test_the_large_client_has_a_site_in_each_of_eight_regions_below_one(company: Company) -> None:
    children = Counter(region["parentRegion"] for region in company.regions.values())
    assert children[110] == 8
    [parent] = [client for client in company.clients.values() if client["type"] == "MULTI_LOCATION_CLIENT"]
    sites = [client for client in company.clients.values() if client["parentClient"] == parent["id"]]
    assert {site["region"] for site in sites} == set(range(111, 119))
    assert not any(employee["region"] in (100, 110) for employee in company.employees.values())


def test_every_id_is_a_positive_number_and_no_two_are_alike() -> None:
    company = Company(periods=1)
    for resource in RESOURCES.values():
        ids = [document["id"] for document in documents(company, resource, extras=False)]
        assert ids
        assert min(ids) > 0
        assert len(set(ids)) == len(ids)
        assert ids == sorted(ids)


def test_nobody_stands_in_two_places_at_once(company: Company) -> None:
    held = defaultdict(list)
    for shift in company.shifts():
        if shift.works:
            held[shift.employee].append((shift.start.timestamp(), shift.end.timestamp()))
    overlaps = [pair for spans in held.values() for pair in pairwise(sorted(spans)) if pair[1][0] < pair[0][1]]
    assert overlaps == []


def test_few_shifts_stay_vacant_and_many_employees_work_overtime(company: Company) -> None:
    shifts = company.shifts()
    assert 0.02 < sum(shift.vacant for shift in shifts) / len(shifts) < 0.08
    weeks: Counter[tuple[int | None, date]] = Counter()
    for shift in shifts:
        if shift.works:
            weeks[shift.employee, week_of(shift.day)] += shift.planned
    over = sum(hours > 40 for hours in weeks.values()) / len(weeks)
    assert 0.2 < over < 0.8


@pytest.mark.parametrize(
    ("what", "least"),
    [
        pytest.param(lambda c, s: s.status == "CANCELLED", 100, id="cancelled"),
        pytest.param(lambda c, s: s.status == "CANCELLED" and s.approved, 10, id="approved and then cancelled"),
        pytest.param(lambda c, s: s.vacant and s.on_shift_board, 50, id="on the shift board"),
        pytest.param(lambda c, s: s.paid_time_off, 50, id="paid time off"),
        pytest.param(lambda c, s: s.paid_time_off and s.billable, 10, id="paid time off that is marked billable"),
        pytest.param(lambda c, s: not c.agreement(s).billed, 20, id="training"),
        pytest.param(lambda c, s: s.end.date() > s.day and s.planned < 24, 500, id="overnight"),
        pytest.param(lambda c, s: s.planned == 12, 100, id="twelve hours"),
        pytest.param(lambda c, s: s.planned == 24, 50, id="twenty-four hours"),
        pytest.param(lambda c, s: s.planned == 24 and s.start.hour == 0, 50, id="live-in"),
        pytest.param(lambda c, s: "atch" in c.positions.get(s.position, {"name": ""})["name"], 20, id="watch"),
        pytest.param(lambda c, s: "Stand" in c.positions.get(s.position, {"name": ""})["name"], 20, id="stand-by"),
        pytest.param(lambda c, s: s.position not in c.positions, 2, id="a position of no list"),
        pytest.param(lambda c, s: s.holiday_hours, 60, id="hours on New Year's Day"),
        pytest.param(lambda c, s: s.works and s.day < c.approved_until and s.approved is None, 0, id="none unapproved"),
        pytest.param(lambda c, s: s.works and s.approved is None, 100, id="not approved yet"),
        pytest.param(lambda c, s: len(s.sessions) > 1, 300, id="clocked in twice"),
        pytest.param(lambda c, s: any(one.end is None for one in s.sessions), 5, id="an open session"),
        pytest.param(lambda c, s: s.clocked_hours, 30, id="hours written down without a clock-in"),
        pytest.param(lambda c, s: s.missed and s.approved == 0, 20, id="missed, with no hours approved"),
        pytest.param(lambda c, s: s.works and c.agreement(s).bill.discount, 100, id="discount"),
        pytest.param(lambda c, s: c.agreement(s).bill.overtime is None, 300, id="overtime that is not billed"),
        pytest.param(lambda c, s: (rule := c.pay_overtime(s)) is not None and rule.daily, 300, id="daily rules"),
        pytest.param(lambda c, s: s.employee and c.pay_overtime(s) is None, 100, id="no overtime is paid"),
        pytest.param(lambda c, s: (rule := c.agreement(s).bill.overtime) and rule.is_biweekly, 100, id="two weeks"),
        pytest.param(lambda c, s: s.works and s.bill_premium, 50, id="a premium"),
        pytest.param(
            lambda c, s: c.employees.get(s.employee, {"status": "ACTIVE"})["status"] != "ACTIVE",
            20,
            id="who left since",
        ),
        pytest.param(
            lambda c, s: c.clients.get(c.place(s.position).account, {"status": "CLOSED?"})["status"] == "CLOSED",
            20,
            id="a site that was closed since",
        ),
    ],
)
def test_a_few_months_hold_some_of_everything(company: Company, what, least) -> None:
    count = sum(bool(what(company, shift)) for shift in company.shifts())
    assert count >= least
    assert least or not count


def test_sites_lie_in_zones_with_and_without_summer_time(company: Company) -> None:
    zones = {shift.zone for shift in company.shifts()}
    assert {
        "America/New_York",
        "America/Chicago",
        "America/Phoenix",
        "America/Los_Angeles",
        "America/Anchorage",
    } == zones


@pytest.mark.parametrize(
    ("day", "long", "offsets"),
    [
        pytest.param(date(2026, 3, 8), 23, {"-05:00": "-04:00", "-08:00": "-07:00"}, id="spring"),
        pytest.param(date(2026, 11, 1), 25, {"-04:00": "-05:00", "-07:00": "-08:00"}, id="autumn"),
    ],
)
def test_a_post_round_the_clock_is_as_long_as_the_day(day: date, long: int, offsets: dict[str, str]) -> None:
    company = Company(first=day - timedelta(days=9), last=day + timedelta(days=9), positions=200)
    resource = RESOURCES["shifts"]
    found = [
        shift
        for shift in documents(company, resource, (day, day), extras=True)
        if shift["endDateTime"][:10] > shift["startDateTime"][:10] and shift["startDateTime"][11:16] == "00:00"
    ]
    changed = [shift for shift in found if shift["timeZone"] != "America/Phoenix"]
    assert changed
    for shift in found:
        seconds = shift["endsOn"] - shift["startsOn"]
        assert shift["plannedDurationHours"] in (None, str(seconds // 3600))
        assert seconds == (24 if shift["timeZone"] == "America/Phoenix" else long) * 3600
    for shift in changed:
        begin, end = shift["startDateTime"][-6:], shift["endDateTime"][-6:]
        assert offsets.get(begin, end) == end != begin
    lines = company.billed().shifts
    assert lines[changed[0]["id"]].amounts.scheduled_hours == Decimal(long)


def test_a_clock_in_may_lie_on_the_day_before_its_shift(company: Company) -> None:
    early = [shift for shift in company.shifts() if shift.sessions and shift.sessions[0].start.date() < shift.day]
    assert early
    shift = early[0]
    day = shift.day - timedelta(days=1)
    sessions = documents(company, RESOURCES["work-sessions"], (day, day), extras=False)
    assert shift.id in {session["shift"] for session in sessions}


def test_the_newest_approved_shifts_have_no_summary_yet(company: Company) -> None:
    approved = [shift for shift in company.shifts() if shift.works and shift.approved is not None]
    without = [shift for shift in approved if company.summary(shift) is None]
    assert 0.05 < len(without) / len(approved) < 0.15
    assert min(shift.day for shift in without) > max(shift.day for shift in approved if company.summary(shift))


def test_another_calendar_sums_up_by_its_own_periods() -> None:
    months = Calendar(kind="monthly", anchor=date(2026, 1, 1), first_year=2025, last_year=2027)
    by_month, by_fortnight = (Company(calendar=calendar, periods=3, shifts_a_day=20) for calendar in (months, CALENDAR))
    assert (by_month.last, by_fortnight.last) == (date(2026, 2, 28), date(2026, 2, 5))
    [january] = by_month.billed("2026_01").periods.values()
    own = [
        line for line in Company(last=by_month.last, shifts_a_day=20).billed().shifts.values() if line.day.month == 1
    ]
    assert january.shifts == sum(line.counts for line in own) > 400
