"""Success metrics by ISO week: each week's number is what its loads did."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from etl_assets.declare.hours import AllowedHours
from etl_assets.report.period import ReportPeriod
from etl_assets.report.weeks import success_metrics
from etl_assets.settings import Settings
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.sources.operating_room import SOURCE as OPERATING_ROOM
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.reports import record_report, reports_by_week
from etl_assets_tests.report import ledger

NOW = datetime.now(UTC)
PERIOD = ReportPeriod(kind="weekly", moment=NOW)
THIS_WEEK, LAST_WEEK = -1, -2
IN_LAST_WEEK = NOW.weekday() + 2
"""So many days ago was in the week before this one: its Saturday."""
HOURS = AllowedHours(time(21), time(6), ZoneInfo("America/Chicago"))


def measures(
    settings: Settings, source=OPEN_DENTAL, *, hours=None, held=()
) -> dict[str, list[tuple[str, bool | None]]]:
    with connect(settings) as connection:
        found = success_metrics(connection, source, PERIOD, hours=hours, held=held)
    return {line.title: list(line.cells) for line in found.measures}


def table(importance: str, place: int = 0) -> str:
    """A table of this importance with a time limit of five minutes."""
    names = [
        each.name
        for each in OPEN_DENTAL.tables
        if each.tags["importance"] == importance and each.details["max_extraction_time_minutes"] == 5
    ]
    return f"open_dental.{names[place]}"


def test_tables_are_counted_once_a_week_by_their_importance(settings: Settings) -> None:
    for relation in (table("critical"), table("critical"), table("critical", 1), table("audit")):
        ledger.load(settings, "open_dental", relation, rows=10, days_ago=IN_LAST_WEEK)
    ledger.load(settings, "open_dental", table("critical"), rows=5)
    held = {table("critical"), table("critical", 1), table("important")}
    found = measures(settings, held=held)
    critical = found["critical tables loaded"]
    declared = sum(each.tags["importance"] == "critical" for each in OPEN_DENTAL.tables)
    assert critical[LAST_WEEK] == (f"2 of {declared}", True)
    assert critical[THIS_WEEK] == (f"1 of {declared}", None)  # it is not over
    assert critical[0] == (f"0 of {declared}", None)
    assert found["important tables loaded"][LAST_WEEK][1] is False
    assert found["all tables loaded"][LAST_WEEK] == (f"3 of {len(OPEN_DENTAL.tables)}", False)
    assert found["rows read"][LAST_WEEK][0] == "40"
    assert len(critical) == 8


def test_loads_are_held_to_the_time_limit_of_their_table(settings: Settings) -> None:
    for seconds in (299, 301, 20):
        ledger.load(settings, "open_dental", table("critical"), rows=1, seconds=seconds, days_ago=IN_LAST_WEEK)
    found = measures(settings)
    assert found["loads within the table's time limit"][LAST_WEEK] == ("66.7 %", False)
    assert found["loads within the table's time limit"][THIS_WEEK] == ("-", None)
    assert found["time spent loading"][LAST_WEEK][0] == "10 min 20 s"


@pytest.mark.parametrize(
    ("broken", "shown", "is_met"), [(0, "100.0 %", True), (5, "99.5 %", True), (10, "99.0 %", False)]
)
def test_quality_is_of_critical_tables_alone(settings: Settings, broken, shown, is_met) -> None:
    ledger.check(settings, "open_dental", table("critical"), "matches_source", checked=1000, broken=broken)
    ledger.check(settings, "open_dental", table("reference"), "matches_source", checked=1000, broken=900)
    ledger.check(settings, "open_dental", table("critical"), "another", checked=1000, broken=900)
    found = measures(settings)
    assert found["rows of critical tables as at the source"][THIS_WEEK] == (shown, is_met)
    assert found["tables compared with the source"][THIS_WEEK][0] == "2"


def test_loads_are_in_the_hours_of_the_source_s_own_zone(settings: Settings) -> None:
    relation = table("critical")
    ledger.load(settings, "open_dental", relation, rows=1)
    ledger.load(settings, "open_dental", relation, rows=1)
    monday = datetime.combine(PERIOD.weeks[LAST_WEEK], time(0), UTC)
    inside = datetime.combine(monday.date(), time(5, 59, 59), HOURS.zone)
    outside = datetime.combine(monday.date(), time(6, 30), HOURS.zone)
    with connect(settings) as connection:
        for place, moment in enumerate((inside, outside)):
            connection.execute(
                "update etl.table_load set loaded_at = %s, seconds = 1"
                " where load_id = (select load_id from etl.table_load order by load_id limit 1 offset %s)",
                [moment + timedelta(seconds=1), place],
            )
    assert measures(settings, hours=HOURS)[f"loads within {HOURS}"][LAST_WEEK] == ("50.0 %", False)
    assert measures(settings)["loads within allowed hours"][LAST_WEEK] == ("any hour", None)


def test_a_run_that_failed_is_recovered_by_another_and_not_while_its_table_fails(settings: Settings) -> None:
    title = "runs that failed, and were recovered"
    ledger.fail(settings, "operating_room", "down", days_ago=IN_LAST_WEEK)
    assert measures(settings, OPERATING_ROOM)[title][LAST_WEEK] == ("0 of 1", False)
    ledger.fail(settings, "operating_room", "down", kind="build", days_ago=IN_LAST_WEEK)
    ledger.load(settings, "operating_room", "stg.or_case", rows=1)
    assert measures(settings, OPERATING_ROOM)[title][LAST_WEEK] == ("1 of 2", False)
    with connect(settings) as connection:
        connection.execute(
            "insert into etl.table_failure select 'stg.or_case', source, batch_id, 'x', now() - interval '40 days'"
            " from etl.batch where kind = 'load' limit 1"
        )
    assert measures(settings, OPERATING_ROOM)[title][LAST_WEEK] == ("0 of 2", False)


def test_a_source_without_importances_has_what_applies_to_it(settings: Settings) -> None:
    ledger.load(settings, "operating_room", "stg.or_case", rows=3)
    found = measures(settings, OPERATING_ROOM, held={"stg.or_case"})
    assert found["all tables loaded"][THIS_WEEK] == ("1 of 3", True)
    assert found["runs that failed, and were recovered"][THIS_WEEK] == ("none failed", True)
    assert not any("critical" in title for title in found)


def test_days_with_a_daily_report_are_counted_of_each_scope(settings: Settings, tmp_path) -> None:
    with connect(settings) as connection:
        for scope, days in (("all", 0), ("all", 0.001), ("all", IN_LAST_WEEK), ("tracktik", IN_LAST_WEEK)):
            at = NOW - timedelta(days=days)
            record_report(connection, kind="daily", scope=scope, built_at=at, path=tmp_path, size=1)
        record_report(connection, kind="weekly", scope="all", built_at=NOW, path=tmp_path, size=1)
        found = reports_by_week(connection, "all", PERIOD.weeks)
    assert found in ([0, 0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0, 1, 2])  # over midnight
