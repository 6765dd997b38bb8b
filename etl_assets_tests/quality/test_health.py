"""How a table is: failed, late, degraded or healthy, by the ledger of a real warehouse."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from etl_assets.declare.source import Source
from etl_assets.quality.health import Health, table_health
from etl_assets.quality.issues import CheckedRule, acknowledge_rule, upsert_issues
from etl_assets.settings import Settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.sources.trialsync import SOURCE as TRIALSYNC
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Batch, Counts, open_batch, record_load
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.job_ledger import decide, register_jobs
from etl_assets.warehouse.table_failures import record_load_outcomes

CASE, ROOM = "stg.or_case", "stg.or_schedule"
FACT = "operating_room.fact_case"


@pytest.fixture
def batch(settings: Settings) -> Iterator[Batch]:
    with open_batch(settings, SOURCE.name, "load") as batch:
        yield batch


def load(batch: Batch, relation: str, *, changed: int = 1) -> int:
    """A load of a table; returns its number."""
    counts = Counts(rows_read=changed, rows_inserted=changed)
    record_load(batch.connection, batch, Relation(*relation.split(".")), counts, seconds=0)
    row = batch.connection.execute("select max(load_id) from etl.table_load").fetchone()
    return int(row[0]) if row else 0


def build(batch: Batch, relation: str, status: str, *, changed: int | None = None, hours_ago: float = 0) -> None:
    batch.connection.execute(
        "insert into etl.model_build (relation, status, rows_changed, seconds, built_at, batch_id)"
        " values (%s, %s, %s, 0, now() - make_interval(hours => %s), %s)"
        " on conflict (batch_id, relation) do nothing",
        [relation, status, changed, hours_ago, batch.id],
    )


def age(settings: Settings, hours: float) -> None:
    """Have all loads be as long ago."""
    with connect(settings, role=None) as connection:
        connection.execute("update etl.table_load set loaded_at = now() - make_interval(mins => %s)", [int(hours * 60)])


def health(settings: Settings, source: Source = SOURCE) -> dict[str, Health]:
    with connect(settings) as connection:
        return {each.relation: each for each in table_health(connection, source)}


def hours_since(found: Health) -> float:
    assert found.since
    return round((datetime.now(UTC) - found.since) / timedelta(hours=1), 1)


def find_issue(batch: Batch, relation: str, rule: str, severity: str) -> None:
    checked = CheckedRule(
        source=SOURCE.name, relation=relation, rule=rule, why="", severity=severity, exception_type="InvalidValue"
    )
    found = sql.SQL("(select 'key' as row_key, '' as field, null as value, '' as message, null::date as row_slice)")
    with batch.connection.transaction():
        upsert_issues(batch.connection, batch, checked, found=found, most=3)


def test_what_was_loaded_in_time_is_healthy_and_the_rest_is_not_there(settings: Settings, batch: Batch) -> None:
    assert health(settings) == {}
    load(batch, CASE)
    assert health(settings) == {CASE: Health(relation=CASE, state="healthy")}


def test_a_table_is_late_until_it_is_loaded_itself(settings: Settings, batch: Batch) -> None:
    load(batch, CASE)
    load(batch, ROOM)
    age(settings, 40)
    found = health(settings)
    assert {each.state for each in found.values()} == {"late"}
    assert found[CASE].why == "nothing has come within 36 hours"
    assert found[CASE].command == "etl run operating_room or_case"
    assert hours_since(found[CASE]) == 4.0
    load(batch, CASE, changed=0)  # nothing had changed, and that is known
    assert {name: each.state for name, each in health(settings).items()} == {CASE: "healthy", ROOM: "late"}


def test_a_table_that_fails_is_so_since_it_first_did(settings: Settings, batch: Batch) -> None:
    load(batch, CASE)
    record_load_outcomes(batch, failed={CASE: "the disk\n  is full" + "." * 500}, loaded=[])
    first = health(settings)[CASE]
    assert (first.state, first.command) == ("failed", "etl run operating_room or_case")
    assert first.why.startswith("the disk is full")
    assert len(first.why) < 250
    record_load_outcomes(batch, failed={CASE: "it still is"}, loaded=[])
    again = health(settings)[CASE]
    assert (again.since, again.why) == (first.since, "it still is")
    record_load_outcomes(batch, failed={}, loaded=[CASE])
    assert health(settings)[CASE].state == "healthy"


def test_a_table_that_was_never_loaded_and_fails_is_there(settings: Settings, batch: Batch) -> None:
    record_load_outcomes(batch, failed={CASE: "no such file"}, loaded=[])
    assert health(settings)[CASE].state == "failed"


def test_a_check_that_stands_failed_degrades_and_a_warning_does_not(settings: Settings, batch: Batch) -> None:
    load(batch, CASE)
    find_issue(batch, CASE, "Order", "warning")
    assert health(settings)[CASE].state == "healthy"
    find_issue(batch, CASE, "SurgeonKnown", "error")
    find_issue(batch, CASE, "AnotherOne", "error")
    found = health(settings)[CASE]
    assert (found.state, found.why) == ("degraded", "AnotherOne, SurgeonKnown")
    assert found.command == "etl issues list --source operating_room --rule AnotherOne"
    assert hours_since(found) == 0.0


def test_a_backfill_makes_nothing_fresh_and_nor_does_a_file_that_was_loaded_before(
    settings: Settings, batch: Batch
) -> None:
    counts, newest, relation = Counts(rows_read=1, rows_updated=1), date(2026, 3, 9), Relation("stg", "or_case")

    def arrive(slice_: date, *, is_news: bool = True) -> None:
        record_load(
            batch.connection, batch, relation, counts, seconds=0, dates=LoadedDates(newest=slice_, is_news=is_news)
        )

    arrive(newest - timedelta(days=30))
    arrive(newest)
    age(settings, 40)
    arrive(newest - timedelta(days=1))  # an old date again
    arrive(newest, is_news=False)  # the file that is in force, by hand
    late = health(settings)[CASE]
    assert (late.state, late.newest_slice) == ("late", newest)
    assert late.why.endswith(f"; the newest date is {newest}")
    arrive(newest)  # a correction of the newest date
    assert health(settings)[CASE].state == "healthy"
    age(settings, 40)
    arrive(date(2099, 1, 1))  # a mistyped date keeps none from being fresh after it
    age(settings, 40)
    assert health(settings)[CASE].state == "late"
    arrive(datetime.now(UTC).date() - timedelta(days=2))
    assert health(settings)[CASE].state == "healthy"


def test_a_model_is_late_when_what_it_is_built_of_changed_long_ago(settings: Settings, batch: Batch) -> None:
    first = load(batch, CASE)
    state = "insert into etl.model_state (relation, code_version, seen, batch_id) values (%s, 'x', %s::jsonb, %s)"
    batch.connection.execute(state, [FACT, f'{{"{CASE}": {first}}}', batch.id])
    age(settings, 40)
    assert health(settings)[FACT].state == "healthy"  # it has seen all there is
    load(batch, CASE)
    assert health(settings)[FACT].state == "healthy"  # and may take its time
    age(settings, 50)
    found = health(settings)[FACT]
    assert (found.state, found.why) == ("late", "what it is built of changed 36 hours ago and more")
    assert found.command == "etl run operating_room"
    assert hours_since(found) == 14.0


def test_a_model_that_fails_again_and_again_is_so_since_the_first_time(settings: Settings, batch: Batch) -> None:
    build(batch, FACT, "success", changed=3, hours_ago=9)
    for hours in (5, 2):
        with open_batch(settings, SOURCE.name, "build") as another:
            build(another, FACT, "error", hours_ago=hours)
    found = health(settings)[FACT]
    assert (found.state, found.why) == ("failed", "it could not be built: error")
    assert hours_since(found) == 5.0
    with open_batch(settings, SOURCE.name, "build") as another:
        build(another, FACT, "success", changed=0)
        state = "insert into etl.model_state (relation, code_version, seen, batch_id) values (%s, 'x', '{}', %s)"
        another.connection.execute(state, [FACT, another.id])
    assert health(settings)[FACT].state == "healthy"


def test_the_worst_is_said_first_and_of_one_table_the_worst_alone(settings: Settings, batch: Batch) -> None:
    load(batch, CASE)
    load(batch, ROOM)
    load(batch, "stg.block_schedule")
    age(settings, 40)
    load(batch, "stg.block_schedule")
    find_issue(batch, CASE, "Order", "error")
    find_issue(batch, "stg.block_schedule", "Order", "error")
    record_load_outcomes(batch, failed={ROOM: "no such file"}, loaded=[])
    with connect(settings) as connection:
        found = [(each.relation, each.state) for each in table_health(connection, SOURCE)]
    assert found == [(ROOM, "failed"), (CASE, "late"), ("stg.block_schedule", "degraded")]


def test_a_table_whose_jobs_are_all_off_is_not_late(settings: Settings) -> None:
    job = next(job for job in TRIALSYNC.jobs if job.is_active)
    relation = f"{TRIALSYNC.schema}.{job.table}"
    shared = [each.id for each in TRIALSYNC.jobs if each.table == job.table]
    with connect(settings) as connection:
        register_jobs(connection, TRIALSYNC.name, TRIALSYNC.jobs)
    with open_batch(settings, TRIALSYNC.name, "load") as batch:
        load(batch, relation)
    age(settings, 40)
    assert health(settings, TRIALSYNC)[relation].state == "late"
    with connect(settings) as connection:
        for each in shared:
            decide(connection, TRIALSYNC.name, each, is_active=False, by="a test", why="to see")
    assert health(settings, TRIALSYNC)[relation].state == "healthy"


def test_the_ledger_is_read_by_who_may_read_it_alone(settings: Settings) -> None:
    with connect(settings, role="etl_reader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        table_health(connection, SOURCE)


def test_what_somebody_knows_of_is_degraded_and_is_shown_behind_what_is_new(settings: Settings, batch: Batch) -> None:
    load(batch, CASE)
    for rule in ("Known", "New"):
        find_issue(batch, CASE, rule, "error")
    acknowledge_rule(batch.connection, SOURCE.name, "Known", by="Ada", why="until Monday")
    found = health(settings)[CASE]
    assert (found.state, found.why) == ("degraded", "New, Known (acknowledged)")
    assert found.command == "etl issues list --source operating_room --rule New"
