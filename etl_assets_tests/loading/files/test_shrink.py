"""A file that brings a few rows of a date of which many are held: one mistyped date must not delete another day."""

from datetime import date, timedelta

import pytest

from etl_assets.declare.rules import FilesTakenIn
from etl_assets.quality.run import run_rule
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.files.pipeline import MONDAY, cases, drop, load, row

WEDNESDAY = MONDAY + timedelta(days=2)
FORTY = [row(f"M{number:02}") for number in range(40)]
THIRTY_NINE = [row(f"W{number:02}", WEDNESDAY) for number in range(39)]
SLIP = row("SLIP", MONDAY)


@pytest.fixture
def findings(settings, warehouse):
    """What the check of deliveries says: date and message of each finding."""
    rule = next(rule for rule in SOURCE.rules if isinstance(rule, FilesTakenIn) and rule.table == "or_case")

    def findings() -> list[tuple[date, str]]:
        with open_batch(settings, SOURCE.name, "check") as batch:
            run_rule(warehouse, batch, SOURCE, rule, None)
        return warehouse.execute(
            "select schedule_date, exception_message from stg.unresolved_exceptions order by 1, 2"
        ).fetchall()

    return findings


def per_day(warehouse) -> list[tuple[int, int]]:
    """Days after Monday, and how many cases each has."""
    days = [day for _, day, _ in cases(warehouse)]
    return [(day, days.count(day)) for day in sorted(set(days))]


def test_one_row_with_a_mistyped_date_deletes_no_other_day(settings, landing, warehouse, findings) -> None:
    drop(landing, "or_case_1.csv", *FORTY)
    load(settings)
    drop(landing, "or_case_2.csv", *THIRTY_NINE, SLIP)
    report = load(settings)
    assert per_day(warehouse) == [(0, 40), (2, 39)]
    assert (report.counts.rows_deleted, list(report.rows_by_slice)) == (0, [WEDNESDAY])
    assert report.notes == [f"1 of 40 rows came for {MONDAY}: they wait, and the date was left as it was"]
    ((day, message),) = findings()
    assert day == MONDAY
    assert "or_case_2.csv brings 1 of the 40 rows held" in message
    assert f"etl run operating_room --from {MONDAY} --to {MONDAY} --accept-shrink" in message


def test_it_is_replaced_where_somebody_accepts_it(settings, landing, warehouse, findings) -> None:
    drop(landing, "or_case_1.csv", *FORTY)
    drop(landing, "or_case_2.csv", *THIRTY_NINE, SLIP)
    load(settings)
    assert len(findings()) == 1
    report = load(settings, reload=True, accept_shrink=True)
    assert (report.counts.rows_deleted, per_day(warehouse)) == (40, [(0, 1), (2, 39)])
    assert findings() == []
    assert load(settings, reload=True).counts.changed == 0
    assert per_day(warehouse) == [(0, 1), (2, 39)]


def test_a_later_file_that_speaks_of_the_whole_date_settles_it(settings, landing, warehouse, findings) -> None:
    drop(landing, "or_case_1.csv", *FORTY)
    drop(landing, "or_case_2.csv", *THIRTY_NINE, SLIP)
    drop(landing, "or_case_3.csv", *FORTY[:35])
    report = load(settings)
    assert (report.counts.rows_deleted, per_day(warehouse)) == (5, [(0, 35), (2, 39)])
    assert findings() == []


def test_the_file_that_is_in_force_stays_so_when_it_is_loaded_again(settings, landing, warehouse, findings) -> None:
    drop(landing, "or_case_1.csv", *FORTY)
    drop(landing, "or_case_2.csv", *THIRTY_NINE, SLIP)
    load(settings)
    load(settings, reload=True)
    assert per_day(warehouse) == [(0, 40), (2, 39)]
    assert len(findings()) == 1


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        pytest.param((2, 1), 1, id="one of two"),
        pytest.param((3, 1), 3, id="one of three"),
        pytest.param((10, 5), 5, id="half"),
        pytest.param((10, 4), 10, id="less than half"),
    ],
)
def test_a_date_is_replaced_by_at_least_half_of_what_is_held(settings, landing, warehouse, rows, kept) -> None:
    for number in rows:
        drop(landing, "or_case_1.csv", *FORTY[:number])
        load(settings)
    assert len(cases(warehouse)) == kept
