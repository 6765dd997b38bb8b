"""By which rule overtime is billed and paid, which rules are computed, and that what is not known is null and not 0."""

from datetime import date
from typing import Any

import psycopg
import pytest
import yaml

from etl_assets.orchestration.models.explanations import explanations
from etl_assets.quality.explanation import contributing_rows
from etl_assets.sources.tracktik.tables import CALENDAR
from etl_assets_tests.explained_cells import differing_cells, unlisted_parts
from etl_assets_tests.sql.dbt_runs import SQL, Dbt
from etl_assets_tests.sql.tracktik_documents import (
    Document,
    back_office,
    client,
    delete,
    employee,
    make_staging,
    position,
    profile,
    put,
    region,
    rule,
    shift,
)

# Two work weeks that belong together, from Friday 9 to Thursday 22 January 2026.
DAYS = [f"2026-01-{day:02}T08:00:00" for day in range(9, 23)]
FIRST_WEEK = {"start_date": "2026-01-09", "end_date": "2026-01-15"}
SITE = {"offset": "-05:00"}


def item(kind: str, hours: float | None, **price: object) -> dict[str, object]:
    """An item of a rule beyond so many hours."""
    return {"ruleType": kind, "rateType": "MULTIPLIER", "threshold": hours, "rateMultiplier": 1.5, **price}


def made_of(key: int, *items: dict[str, object], **fields: Any) -> Document:
    """An overtime rule of these items."""
    return {**rule(key), "method": "SEQUENTIAL", "rules": list(items), **fields}


WEEKLY, TWO_WEEKS, AT_A_RATE, BEST_OF_ONE = 501, 502, 503, 504
COMPUTED = [
    made_of(WEEKLY, item("PERIOD", 40)),
    made_of(TWO_WEEKS, item("PERIOD", 80), periodLength="BI-WEEKLY"),
    made_of(AT_A_RATE, item("PERIOD", 40, rateType="RATE", rateMultiplier=None, rateAmount=70.0)),
    made_of(BEST_OF_ONE, item("PERIOD", 40), method="BEST_OF"),
]
NOT_COMPUTED = {
    "consecutive days": made_of(511, item("CONSECUTIVE_DAYS", 4)),
    "certain days": made_of(512, item("DAY_SPECIFIC", 0), item("PERIOD", 40)),
    "holidays": made_of(513, item("HOLIDAY", 0)),
    "the best of two": made_of(514, item("DAILY", 9), item("PERIOD", 40), method="BEST_OF"),
    "another period": made_of(515, item("PERIOD", 160), periodLength="MONTHLY"),
    "no threshold": made_of(516, item("PERIOD", None)),
    "a rate without an amount": made_of(517, item("PERIOD", 40, rateType="RATE")),
    "items that the service does not say": {**made_of(518), "rules": None},
    "a rule that was deleted": made_of(519, item("PERIOD", 40)),
}
UNKNOWN_RULE = 599
"""Of no list."""


def fifty_hours(number: int, employee: int, position: int) -> list[Document]:
    """Five shifts of ten hours in the first week, numbered from `number` on."""
    return [shift(number + place, day, 10, employee, position, **SITE) for place, day in enumerate(DAYS[:5])]


def first_said(warehouse: psycopg.Connection) -> list[Document]:
    """Everybody works fifty hours: 1xx at a post of a rule of its own, 2xx by pay rules of their own."""
    make_staging(warehouse)
    put(warehouse, "regions", region(1, "North"), region(2, "North east", parentRegion=1), region(3, "Far"))
    put(warehouse, "clients", client(11, "Harbour", 1))
    put(warehouse, "overtime_rules", *COMPUTED, *NOT_COMPUTED.values())
    delete(warehouse, "overtime_rules", 519, at="2025-06-01T00:00:00Z")
    put(warehouse, "back_office_settings", back_office(1, 1, WEEKLY))
    rules = [WEEKLY, TWO_WEEKS, AT_A_RATE, BEST_OF_ONE, *(each["id"] for each in NOT_COMPUTED.values()), UNKNOWN_RULE]
    put(warehouse, "positions", *(position(key, 11, rate=40, rule=key) for key in rules), position(1, 11, rate=40))
    billed = [shift_ for key in rules for shift_ in fifty_hours(key * 100, key, key)]
    # Forty hours more in the second of the two weeks.
    billed += [shift(TWO_WEEKS * 100 + 50 + place, day, 10, TWO_WEEKS, TWO_WEEKS, **SITE)
               for place, day in enumerate(DAYS[7:11])]  # fmt: skip
    put(warehouse, "employees", *(employee(key) for key in rules))
    put(warehouse, "employment_profiles", *(profile(key) for key in rules))
    put(warehouse, "employees", employee(201), employee(202, 2), employee(203), employee(204), employee(205, 3))
    profiles = [profile(201, TWO_WEEKS), profile(202), profile(203, WEEKLY, exempt=True), profile(205)]
    put(warehouse, "employment_profiles", *profiles)
    paid = [shift_ for key in range(201, 206) for shift_ in fifty_hours(key * 100, key, 1)]
    put(warehouse, "shifts", *billed, *paid)
    return [*billed, *paid]


class Runs:
    """What dbt said of each run, and the fact after it."""

    def __init__(self, warehouse: psycopg.Connection, dbt: Dbt) -> None:
        self.shifts = first_said(warehouse)
        self.built = dbt("build", "--select", "path:models/tracktik", "--exclude-resource-type", "unit_test")
        # Five hours less, said of the first week: in the second one five are overtime no longer.
        shorter = {"approvedHours": 5, "clockedHours": 5}
        put(warehouse, "shifts", shift(TWO_WEEKS * 100, DAYS[0], 10, TWO_WEEKS, TWO_WEEKS, **SITE, **shorter))
        self.before = self.overtime_of_two_weeks(warehouse)
        dbt("run", "--select", "path:models/tracktik", **FIRST_WEEK)
        self.after = self.overtime_of_two_weeks(warehouse)
        self.whole = dbt("run", "--select", "path:models/tracktik")

    @staticmethod
    def overtime_of_two_weeks(warehouse: psycopg.Connection) -> tuple[list[float], list[float]]:
        """Overtime of the second week, in the fact and in the mart."""
        of_fact = warehouse.execute(
            "select bill_overtime_hours::float from tracktik.fact_shifts where employee_id = %s"
            " and week_ending = '2026-01-22' order by shift_id",
            [TWO_WEEKS],
        )
        of_mart = warehouse.execute(
            "select bill_overtime_hours::float from tracktik.mart_overtime where employee_id = %s"
            " and week_ending = '2026-01-22'",
            [TWO_WEEKS],
        )
        return [row[0] for row in of_fact], [row[0] for row in of_mart]


@pytest.fixture(scope="module")
def runs(warehouse: psycopg.Connection, dbt: Dbt) -> Runs:
    return Runs(warehouse, dbt)


def billed(warehouse: psycopg.Connection, side: str, employee: int, *columns: str) -> list[tuple[Any, ...]]:
    """Of an employee's shifts: basis, overtime hours, what they add, and the total, of the bill or of the pay."""
    names = [f"{side}_basis", *(f"{side}_{name}::float" for name in ("overtime_hours", "overtime_impact", "total"))]
    found = warehouse.execute(
        f"select {', '.join([*names, *columns])} from tracktik.fact_shifts where employee_id = %s order by shift_id",
        [employee],
    )
    return found.fetchall()


PLAIN = ("computed", 0.0, 0.0, 400.0)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(WEEKLY, [*[PLAIN] * 4, ("computed", 10.0, 200.0, 600.0)], id="by the week"),
        pytest.param(AT_A_RATE, [*[PLAIN] * 4, ("computed", 10.0, 300.0, 700.0)], id="at 70 where the rate is 40"),
        pytest.param(BEST_OF_ONE, [*[PLAIN] * 4, ("computed", 10.0, 200.0, 600.0)], id="the best of one"),
    ],
)
def test_overtime_that_is_computed(warehouse: psycopg.Connection, runs: Runs, rule: int, expected) -> None:
    assert billed(warehouse, "bill", rule) == expected


def test_hours_are_added_up_over_two_weeks_where_the_rule_does(runs: Runs) -> None:
    """Fifty hours and forty are ten more than eighty: all of the last shift, 200.00 at half the rate of 40 more."""
    assert runs.before == ([0.0, 0.0, 0.0, 10.0], [10.0])


def test_the_two_weeks_of_a_rule_are_those_of_a_billing_period() -> None:
    declared = yaml.safe_load((SQL / "dbt_project.yml").read_text())["vars"]["biweekly_overtime_ends_on"]
    assert CALENDAR.period_of(date.fromisoformat(declared)).last == date.fromisoformat(declared)


def test_a_change_in_the_first_week_is_built_into_the_second_one_too(runs: Runs) -> None:
    assert runs.after == ([0.0, 0.0, 0.0, 5.0], [5.0])
    tables = ("tracktik__dim_", "tracktik__fact_", "tracktik__mart_")
    assert {name: each.rows for name, each in runs.whole.items() if name.startswith(tables) and each.rows} == {}


@pytest.mark.parametrize("what", NOT_COMPUTED)
def test_overtime_by_a_rule_that_is_not_computed_is_null(warehouse: psycopg.Connection, runs: Runs, what: str) -> None:
    found = billed(warehouse, "bill", NOT_COMPUTED[what]["id"], "bill_rate_effective", "computed_bill_total")
    assert found == [("incomplete", None, None, None, None, None)] * 5


def test_overtime_by_a_rule_that_nobody_knows_is_null(warehouse: psycopg.Connection, runs: Runs) -> None:
    assert billed(warehouse, "bill", UNKNOWN_RULE) == [("incomplete", None, None, None)] * 5


PAID = ("computed", 0.0, 0.0, 200.0)


@pytest.mark.parametrize(
    ("employee", "expected"),
    [
        pytest.param(201, [PAID] * 5, id="fifty hours are not eighty in two weeks"),
        pytest.param(202, [*[PAID] * 4, ("computed", 10.0, 100.0, 300.0)], id="the default of the region above"),
        pytest.param(203, [PAID] * 5, id="exempt, whatever rule is named"),
        pytest.param(204, [("incomplete", None, None, None)] * 5, id="no profile"),
        pytest.param(205, [("incomplete", None, None, None)] * 5, id="a region without settings"),
    ],
)
def test_overtime_is_paid_by_the_employees_own_rule_or_the_default(
    warehouse: psycopg.Connection, runs: Runs, employee: int, expected
) -> None:
    assert billed(warehouse, "pay", employee) == expected
    assert [basis for basis, *_ in billed(warehouse, "bill", employee)] == ["computed"] * 5


def test_paid_overtime_that_is_not_billed_is_told_or_null_and_never_negative_for_want_of_a_rule(
    warehouse: psycopg.Connection, runs: Runs
) -> None:
    found = warehouse.execute(
        "select employee_id, pay_overtime_hours::float, bill_overtime_hours::float, nbot_hours::float,"
        " nbot_cost::float, nonbilled_loss::float, incomplete_shifts from tracktik.mart_overtime"
        " where employee_id in (202, 204, 501, 511) order by 1"
    ).fetchall()
    assert found == [
        (202, 10.0, 0.0, 10.0, 100.0, 0.0, 0),
        (204, None, 0.0, None, None, 0.0, 5),
        (501, 10.0, 10.0, 0.0, 0.0, 0.0, 0),
        (511, 10.0, None, None, None, 0.0, 5),
    ]


def test_a_total_is_null_where_a_part_of_it_is_not_known(warehouse: psycopg.Connection, runs: Runs) -> None:
    found = warehouse.execute(
        "select billing_period_id, bill_total, bill_overtime_hours, bill_rate_effective, billable_hours > 0,"
        " incomplete_shifts from tracktik.mart_billing_summary"
    )
    assert found.fetchall() == [("2026_02", None, None, None, True, 5 * (len(NOT_COMPUTED) + 1))]


def test_a_total_that_is_not_known_is_explained_by_the_shifts_whose_part_is_not(
    warehouse: psycopg.Connection, runs: Runs
) -> None:
    marts = ("mart_hours", "mart_billing_summary", "mart_overtime")
    assert differing_cells(warehouse, "tracktik", marts) == {}
    assert unlisted_parts(warehouse, "tracktik", marts) == {}
    total = explanations("tracktik")["tracktik.mart_billing_summary"].only("bill_total")
    listed = contributing_rows(warehouse, total, total.rows[0], {}, key=["shift_id"], most=10_000)
    unknown = [row for row in listed if row.parts == {"bill_total": None}]
    assert len(unknown) == 5 * (len(NOT_COMPUTED) + 1) < len(listed)


def test_what_is_not_computed_is_a_finding(runs: Runs) -> None:
    bad = {name: each for name, each in runs.built.items() if each.status not in {"success", "pass"}}
    assert {name: each.status for name, each in bad.items()} == {"tracktik__every_shift_is_computed": "warn"}
    positions_and_employees = len(NOT_COMPUTED) + 1 + 2
    assert f"Got {positions_and_employees} results" in bad["tracktik__every_shift_is_computed"].message
