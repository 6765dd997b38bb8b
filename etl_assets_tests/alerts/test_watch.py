"""What only the clock shows: late tables, hanging loads, silent channels; and the heartbeat outward."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from etl_assets.alerts.heartbeat import beat
from etl_assets.alerts.watch import watch_freshness, watch_loads, watch_platform
from etl_assets.sources import SOURCES
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.sources.operating_room import SOURCE as OPERATING_ROOM
from etl_assets.warehouse.alerts import Alert, Member, alerts_since
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Batch, Counts, open_batch, record_load
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.table_failures import record_load_outcomes
from etl_assets.warehouse.under_way import loading, loads_under_way
from etl_assets_tests.alerts.conftest import Desk

CASE, ROOM, FACT = "stg.or_case", "stg.or_schedule", "operating_room.fact_case"


def alerts(desk: Desk) -> list[tuple[str, str, list[str]]]:
    with connect(desk.settings) as connection:
        found: list[Alert] = alerts_since(connection, desk.now)
    return [(each.source, each.kind, [member.relation or member.rule for member in each.members]) for each in found]


def load(batch: Batch, relation: str) -> int:
    counts = Counts(rows_read=1, rows_inserted=1)
    record_load(batch.connection, batch, Relation(*relation.split(".")), counts, seconds=0)
    return batch.connection.execute("select max(load_id) from etl.table_load").fetchall()[0][0]


def age(desk: Desk, hours: float) -> None:
    with connect(desk.settings, role=None) as connection:
        connection.execute("update etl.table_load set loaded_at = now() - make_interval(hours => %s)", [hours])


def look_for_late(desk: Desk) -> None:
    with connect(desk.settings, autocommit=True) as connection:
        watch_freshness(connection, SOURCES)


def test_late_tables_are_one_alert_that_ends_when_they_are_loaded(desk: Desk) -> None:
    with open_batch(desk.settings, OPERATING_ROOM.name, "load") as batch:
        load(batch, CASE)
        load(batch, ROOM)
    look_for_late(desk)
    assert alerts(desk) == []
    age(desk, 40)
    look_for_late(desk)
    look_for_late(desk)
    assert alerts(desk) == [("operating_room", "late", [CASE, ROOM])]
    with open_batch(desk.settings, OPERATING_ROOM.name, "load") as batch:
        load(batch, CASE)
    look_for_late(desk)
    assert alerts(desk) == [("operating_room", "late", [ROOM])]
    with open_batch(desk.settings, OPERATING_ROOM.name, "load") as batch:
        load(batch, ROOM)
    look_for_late(desk)
    assert alerts(desk) == []


def test_a_model_that_waits_for_a_failed_table_is_not_told_of(desk: Desk) -> None:
    state = "insert into etl.model_state (relation, code_version, seen, batch_id) values (%s, 'x', %s::jsonb, %s)"
    with open_batch(desk.settings, OPERATING_ROOM.name, "load") as batch:
        first = load(batch, CASE)
        batch.connection.execute(state, [FACT, f'{{"{CASE}": {first}}}', batch.id])
        load(batch, CASE)
        load(batch, CASE)
    age(desk, 40)
    with open_batch(desk.settings, OPERATING_ROOM.name, "load") as batch:
        record_load_outcomes(batch, failed={CASE: "gone"}, loaded=[])
    look_for_late(desk)
    assert alerts(desk) == [("operating_room", "failed", [CASE])]
    with open_batch(desk.settings, OPERATING_ROOM.name, "load") as batch:
        record_load_outcomes(batch, failed={}, loaded=[CASE])
    look_for_late(desk)
    assert alerts(desk) == [("operating_room", "late", [FACT, CASE])]


@contextmanager
def under_way(desk: Desk, table: str) -> Iterator[None]:
    relation = Relation(OPEN_DENTAL.schema, table)
    with (
        open_batch(desk.settings, OPEN_DENTAL.name, "load", run_id="r1") as batch,
        connect(desk.settings) as session,
        loading(batch, session, relation, ""),
    ):
        yield


def test_a_load_that_goes_on_for_longer_than_its_table_allows_hangs(desk: Desk) -> None:
    table = OPEN_DENTAL.copied_table("patient")
    allowed = timedelta(minutes=table.monitoring.max_extraction_time_minutes)
    with under_way(desk, "patient"), connect(desk.settings, autocommit=True) as connection:
        assert [each.relation for each in loads_under_way(connection)] == [f"{OPEN_DENTAL.schema}.patient"]
        watch_loads(connection, SOURCES, datetime.now(UTC) + allowed - timedelta(minutes=1))
        assert alerts(desk) == []
        watch_loads(connection, SOURCES, datetime.now(UTC) + allowed + timedelta(minutes=1))
        assert alerts(desk) == [("open_dental", "hanging", [f"{OPEN_DENTAL.schema}.patient"])]
        desk.look()
        (page,) = desk.heard.of("pagerduty")
        assert "in run r1" in page.body
    with connect(desk.settings, autocommit=True) as connection:
        assert loads_under_way(connection) == []
        watch_loads(connection, SOURCES, datetime.now(UTC) + allowed + timedelta(minutes=1))
    assert alerts(desk) == []


def test_a_mail_server_that_is_down_is_told_by_the_other_channels(desk: Desk) -> None:
    desk.heard.is_down.add("email")
    desk.load(failed={"patient": "no"})
    for _ in range(3):
        desk.look(minutes=2)
    desk.news()
    with connect(desk.settings, autocommit=True) as connection:
        watch_platform(connection, [], desk.now)
    assert ("platform", "platform", ["channel email"]) in alerts(desk)
    desk.look(minutes=12)
    assert any("channel email" in each.title for each in desk.heard.of("slack"))
    desk.heard.is_down.clear()
    desk.look(minutes=40)
    with connect(desk.settings, autocommit=True) as connection:
        watch_platform(connection, [], desk.now)
    assert ("platform", "platform", ["channel email"]) not in alerts(desk)


def test_the_heartbeat_is_sent_only_while_nothing_that_was_due_waits(desk: Desk) -> None:
    with connect(desk.settings, autocommit=True) as connection:
        assert beat(desk.settings, connection, desk.now)
        assert desk.heard.heartbeats == 1
        desk.heard.is_down |= {"email", "slack", "pagerduty"}
        desk.load(failed={"patient": "no"})
        desk.look()
        assert beat(desk.settings, connection, desk.now)
        assert not beat(desk.settings, connection, desk.now + timedelta(minutes=6))
        desk.heard.is_down.clear()
        desk.look(minutes=1)
        assert beat(desk.settings, connection, desk.now + timedelta(minutes=6))
    assert desk.heard.heartbeats == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "nonsense", "ftp://x"])
def test_a_heartbeat_that_nobody_takes_stops_nothing(desk: Desk, url: str) -> None:
    given = {**desk.settings.given, "ETL_HEARTBEAT_URL": url}
    settings = type(desk.settings)(**{**vars(desk.settings), "given": given})
    with connect(desk.settings, autocommit=True) as connection:
        assert not beat(settings, connection, desk.now)


def test_what_dagster_says_is_wrong_is_an_alert_until_it_no_longer_is(desk: Desk) -> None:
    fault = Member(relation="", rule="tick of open_dental_changes", why="KeyError", since=desk.now)
    for found, expected in (([fault], [("platform", "platform", [fault.rule])]), ([], [])):
        with connect(desk.settings, autocommit=True) as connection:
            watch_platform(connection, found, desk.now)
        assert alerts(desk) == expected
