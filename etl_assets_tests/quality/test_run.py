"""Findings through their life: found, resolved, mended, broken again."""

from dataclasses import replace
from datetime import date
from uuid import uuid4

import psycopg
import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.rules import Finds, InOrder, Required
from etl_assets.errors import EtlError
from etl_assets.quality.issues import list_issues, resolve_issue
from etl_assets.quality.run import WITHHELD, NotThereYet, run_rule
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch

DAY, NEXT_DAY = date(2026, 3, 2), date(2026, 3, 3)
RULE = InOrder(
    table="or_case", name="Order", pairs=(("or_in", "or_out"),), blocks_above=0.5, why="Time does not run back."
)


@pytest.fixture
def warehouse(settings):
    with connect(settings, autocommit=True) as connection:
        yield connection


@pytest.fixture
def batch(settings):
    with open_batch(settings, "operating_room", "check") as batch:
        yield batch


def put(warehouse: psycopg.Connection, case: str, day: date = DAY, **values: object) -> None:
    row = {
        "site_id": "",
        "case_id": case,
        "surgery_date": day,
        "time_zone": "UTC",
        "feed": "f",
        "file_name": "f.csv",
        **values,
    }
    row["etl_batch_id"] = uuid4()
    names, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    sets = ", ".join(f"{name} = excluded.{name}" for name in row)
    warehouse.execute(
        f"insert into stg.or_case ({names}) values ({marks}) on conflict (site_id, case_id) do update set {sets}", row
    )


def broken(warehouse: psycopg.Connection, case: str, hour: int = 8, day: date = DAY) -> None:
    put(warehouse, case, day, or_in=f"{day} {hour:02}:30", or_out=f"{day} {hour:02}:00")


def good(warehouse: psycopg.Connection, case: str, day: date = DAY) -> None:
    put(warehouse, case, day, or_in=f"{day} 08:00", or_out=f"{day} 09:00")


THE_DAY = Span(DAY, DAY)


def run(warehouse, batch, rule=RULE, span=THE_DAY):
    return run_rule(warehouse, batch, SOURCE, rule, span)


def test_a_broken_row_is_one_finding_with_its_words(warehouse, batch) -> None:
    broken(warehouse, "A")
    good(warehouse, "B")
    result = run(warehouse, batch)
    assert (result.rows_checked, result.rows_broken, result.open, result.passed) == (2, 1, 1, False)
    assert [(row.key, row.field, row.message) for row in result.sample] == [
        ("A", "or_in > or_out", "or_in is after or_out")
    ]


def test_a_rule_that_reads_a_table_that_was_never_loaded_waits_for_it(warehouse, batch) -> None:
    query = (
        "select row_key, null as field, null as value, null as message from looked_at join stg.staff using (case_id)"
    )
    reads = Finds(table="or_case", name="Staff", query=query, why="Somebody was there.")
    with pytest.raises(NotThereYet, match=r'Staff was not checked: relation "stg.staff" does not exist'):
        run(warehouse, batch, reads)
    assert warehouse.execute("select count(*) from etl.quality_result").fetchone() == (0,)


def test_running_again_neither_doubles_nor_reopens(warehouse, batch) -> None:
    broken(warehouse, "A")
    run(warehouse, batch)
    (issue,) = list_issues(warehouse, "operating_room", most=10)
    resolve_issue(warehouse, issue.id, by="Dr. Ito", notes="the clock of room 3 was wrong")
    result = run(warehouse, batch)
    assert result.passed
    assert (result.rows_broken, result.open) == (1, 0)
    (issue,) = list_issues(warehouse, "operating_room", status=None, most=10)
    assert (issue.status, issue.resolved_by) == ("resolved", "Dr. Ito")


def test_a_mended_row_closes_its_issue_and_breaking_again_reopens_it(warehouse, batch) -> None:
    broken(warehouse, "A")
    run(warehouse, batch)
    good(warehouse, "A")
    assert run(warehouse, batch).closed == 1
    assert list_issues(warehouse, "operating_room", status="closed", most=10)
    broken(warehouse, "A")
    assert run(warehouse, batch).open == 1


def test_a_resolved_issue_opens_again_when_the_value_changes(warehouse, batch) -> None:
    broken(warehouse, "A", hour=8)
    run(warehouse, batch)
    (issue,) = list_issues(warehouse, "operating_room", most=10)
    resolve_issue(warehouse, issue.id, by="Dr. Ito", notes="as it was")
    broken(warehouse, "A", hour=10)
    assert run(warehouse, batch).open == 1


def test_issues_of_other_dates_are_left_alone(warehouse, batch) -> None:
    far = date(2026, 6, 1)
    broken(warehouse, "A", day=far)
    run(warehouse, batch, span=Span(far, far))
    assert run(warehouse, batch).closed == 0
    assert len(list_issues(warehouse, "operating_room", most=10)) == 1


def test_an_issue_follows_its_row_to_another_date_and_closes_there(warehouse, batch) -> None:
    far = date(2026, 6, 1)
    broken(warehouse, "A")
    run(warehouse, batch)
    good(warehouse, "A", day=far)
    assert run(warehouse, batch, span=Span(far, far)).closed == 1


def test_an_issue_of_a_row_that_is_gone_closes(warehouse, batch) -> None:
    broken(warehouse, "A")
    run(warehouse, batch)
    warehouse.execute("delete from stg.or_case")
    assert run(warehouse, batch).closed == 1


@pytest.mark.parametrize(
    ("broken_rows", "blocks"),
    [pytest.param(1, False, id="half of the rows are broken"), pytest.param(2, True, id="more than half are")],
)
def test_a_rule_blocks_above_its_share_only(warehouse, batch, broken_rows, blocks) -> None:
    good(warehouse, "G")
    for number in range(broken_rows):
        broken(warehouse, f"B{number}")
    assert run(warehouse, batch).blocks is blocks


def test_a_personal_value_is_in_no_issue(warehouse, batch) -> None:
    rule = Finds(
        table="or_case",
        name="Person",
        why="To see.",
        query="select row_key, 'patient_id' as field, patient_id as value,"
        " 'it is ' || patient_id || ', twice' as message, row_slice from looked_at",
    )
    put(warehouse, "A", patient_id="PAT-1")
    assert [row.value for row in run(warehouse, batch, rule).sample] == [WITHHELD]
    issues = warehouse.execute("select value, message from etl.quality_issue").fetchall()
    assert issues == [(WITHHELD, f"it is {WITHHELD}, twice")]


def test_of_a_table_that_tells_of_people_no_issue_has_any_value(warehouse, batch) -> None:
    tables = [replace(each, personal=(), personal_document=each.name == "or_case") for each in SOURCE.tables]
    rule = Finds(
        table="or_case",
        name="Person",
        why="To see.",
        query="select row_key, 'x' as field, patient_id as value, 'seen' as message, row_slice from looked_at",
    )
    put(warehouse, "A", patient_id="PAT-1")
    run_rule(warehouse, batch, replace(SOURCE, tables=tuple(tables)), rule, THE_DAY)
    assert warehouse.execute("select value from etl.quality_issue").fetchall() == [(WITHHELD,)]


def test_each_missing_field_is_a_finding_and_a_blank_is_missing(warehouse, batch) -> None:
    rule = Required(table="or_case", name="Fields", columns=("room_id", "location_id"), why="To count.")
    put(warehouse, "A", room_id="  ", location_id=None)
    put(warehouse, "B", room_id="1", location_id="L")
    result = run(warehouse, batch, rule)
    assert sorted(row.field for row in result.sample) == ["location_id", "room_id"]


@pytest.mark.parametrize(
    ("by", "notes", "message"),
    [
        pytest.param("", "because", "by somebody, with a note", id="nobody"),
        pytest.param("Ito", "  ", "by somebody, with a note", id="a blank note"),
        pytest.param("Ito", "because", "Issue 7 is not open: it does not exist", id="no such issue"),
    ],
)
def test_an_issue_is_resolved_by_somebody_with_a_note(warehouse, by, notes, message) -> None:
    with pytest.raises(EtlError, match=message):
        resolve_issue(warehouse, 7, by=by, notes=notes)


def test_the_briefs_function_resolves_in_plain_sql(warehouse, batch) -> None:
    broken(warehouse, "A")
    run(warehouse, batch)
    warehouse.execute(
        "select stg.resolve_data_quality_exception("
        " exception_id => (select exception_id from stg.unresolved_exceptions),"
        " resolved_by => 'John Smith', resolution_notes => 'Validated with department')"
    )
    row = warehouse.execute("select check_name, resolved_by, status from stg.data_quality_exception").fetchone()
    assert row == ("Order", "John Smith", "resolved")
    assert warehouse.execute("select count(*) from stg.unresolved_exceptions").fetchone() == (0,)


def test_the_count_is_exact_and_of_single_findings_the_first_are_kept(warehouse, batch) -> None:
    def kept() -> list[tuple[str, int]]:
        return warehouse.execute(
            "select status, count(*) from etl.quality_issue group by status order by status"
        ).fetchall()

    def counted() -> list[tuple[date, int]]:
        return warehouse.execute("select slice, findings from etl.finding_count order by slice").fetchall()

    for number in range(9):
        broken(warehouse, f"A{number}")
        broken(warehouse, f"B{number}", day=NEXT_DAY)
    both = Span(DAY, NEXT_DAY)
    result = run_rule(warehouse, batch, SOURCE, RULE, both, max_findings=3)
    assert (result.rows_broken, result.open, kept()) == (18, 18, [("open", 6)])
    assert counted() == [(DAY, 9), (NEXT_DAY, 9)]

    resolve_issue(warehouse, list_issues(warehouse, None, most=1)[0].id, by="Dr. Ito", notes="it was so")
    good(warehouse, "A0")
    good(warehouse, "A1")
    result = run_rule(warehouse, batch, SOURCE, RULE, both, max_findings=3)
    assert (result.rows_broken, result.open, result.closed) == (16, 15, 2)
    assert kept() == [("closed", 2), ("open", 6), ("resolved", 1)]
    assert counted() == [(DAY, 7), (NEXT_DAY, 9)]

    for number in range(9):
        good(warehouse, f"A{number}")
        good(warehouse, f"B{number}", day=NEXT_DAY)
    result = run_rule(warehouse, batch, SOURCE, RULE, both, max_findings=3)
    assert (result.rows_broken, result.open, result.passed, counted()) == (0, 0, True, [])
