"""Who hears of what, by which channel, when, and how often: over real listeners and a clock that is let run."""

from collections.abc import Callable

import psycopg
import pytest

from etl_assets.alerts.channels import Note, channels
from etl_assets.errors import EtlError, TransientError
from etl_assets.settings import read_settings
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.warehouse.alerts import acknowledge_alert, alerts_since
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.outbox import become_sender
from etl_assets.warehouse.silences import add_silence, end_silence
from etl_assets_tests.alerts.conftest import Desk

Channels = Callable[[list], list[str]]
CRITICAL, IMPORTANT, REFERENCE = "patient", "account", "alertsub"
EVERY = [table.name for table in OPEN_DENTAL.tables]
DOWN = "open_dental: the database cannot be reached: connection refused"


def test_a_source_that_is_down_is_one_message_a_channel_and_one_when_it_is_back(desk: Desk) -> None:
    assert len(EVERY) == 440
    desk.load(failed=dict.fromkeys(EVERY, DOWN))
    assert desk.look().failed == 0
    first = desk.news()
    assert sorted(each.channel for each in first) == ["email", "pagerduty", "slack"]
    for each in first:
        assert each.title.startswith("[etl_assets] CRITICAL: open_dental: 440 tables")
        assert "connection refused" in each.body
        assert "etl retry open_dental" in each.body
    for _ in range(5):
        desk.load(failed=dict.fromkeys(EVERY, DOWN))
        desk.look(minutes=2)
    assert desk.news() == []
    desk.load(failed={}, loaded=EVERY)
    desk.look()
    over = desk.news()
    assert sorted((each.channel, each.action) for each in over) == [
        ("email", ""),
        ("pagerduty", "resolve"),
        ("slack", ""),
    ]
    assert {each.incident for each in over + first if each.channel == "pagerduty"} == {
        over[0].incident or over[1].incident or over[2].incident
    }
    assert all("RESOLVED" in each.title for each in over if each.channel != "pagerduty")
    desk.look(minutes=60)
    assert desk.news() == []


def test_the_same_cause_is_one_alert_and_another_cause_is_another(desk: Desk) -> None:
    desk.load(failed={name: f"od.{name}: gone away after 12 s" for name in ("patient", "claim")})
    desk.load(failed={"claim": "od.claim: gone away after 17 s", "payment": "od.payment: gone away after 3 s"})
    desk.load(failed={"procedurelog": "a column is missing"})
    with connect(desk.settings) as connection:
        found = [len(alert.members) for alert in alerts_since(connection, desk.now)]
    assert found == [3, 1]


def test_important_tables_wait_ten_minutes_and_page_nobody(desk: Desk, channels_of: Channels) -> None:
    desk.load(failed={IMPORTANT: "no"})
    desk.look(minutes=9)
    assert desk.news() == []
    desk.look(minutes=2)
    assert channels_of(desk.news()) == ["email", "slack"]


def test_what_has_passed_before_anybody_heard_nobody_hears_of(desk: Desk) -> None:
    desk.load(failed={IMPORTANT: "no"})
    desk.look()
    desk.load(failed={}, loaded=[IMPORTANT])
    desk.look(minutes=30)
    assert desk.news() == []


def test_reference_tables_are_in_the_daily_summary_alone(desk: Desk) -> None:
    desk.load(failed={REFERENCE: "disk full"})
    desk.look(minutes=60)
    assert desk.news() == []
    desk.look(minutes=24 * 60)
    summaries = [each for each in desk.heard.received if "daily summary" in each.title]
    assert {each.channel for each in summaries} == {"email"}
    assert "open_dental_staging.alertsub" in summaries[-1].body.replace(OPEN_DENTAL.schema, "open_dental_staging")
    assert "standard" in summaries[-1].body


def test_a_reference_table_that_fails_for_a_day_is_sent_by_itself(desk: Desk, channels_of: Channels) -> None:
    desk.load(failed={REFERENCE: "disk full"})
    desk.look(minutes=23 * 60)
    assert desk.news() == []
    desk.look(minutes=2 * 60)
    assert channels_of(desk.news()) == ["email"]


def test_a_summary_comes_once_a_day_and_says_so_where_all_is_well(desk: Desk) -> None:
    for minutes in (24 * 60, 5, 5):
        desk.look(minutes=minutes)
    subjects = [each.title for each in desk.heard.received]
    assert len(subjects) == len(set(subjects)) <= 2
    assert subjects[-1].endswith("all is well")


def test_a_critical_table_that_joins_an_alert_is_sent_to_who_has_not_heard(desk: Desk, channels_of: Channels) -> None:
    desk.load(failed={REFERENCE: "od.x: gone"})
    desk.look()
    desk.load(failed={REFERENCE: "od.x: gone", CRITICAL: "od.x: gone"})
    desk.look()
    assert channels_of(desk.news()) == ["email", "pagerduty", "slack"]


def test_what_nobody_acknowledges_is_escalated_once_and_by_channels_that_do_not_by_themselves(
    desk: Desk, channels_of: Channels
) -> None:
    desk.load(failed={CRITICAL: "no"})
    desk.look()
    desk.news()
    desk.look(minutes=14)
    assert desk.news() == []
    desk.look(minutes=2)
    escalated = desk.news()
    assert channels_of(escalated) == ["email", "slack"]
    assert all("nobody has acknowledged it".upper() in each.title for each in escalated)
    desk.look(minutes=300)
    assert desk.news() == []


def test_what_is_acknowledged_is_not_escalated_and_pagerduty_hears_of_it(desk: Desk) -> None:
    desk.load(failed={CRITICAL: "no"})
    desk.look()
    desk.news()
    with connect(desk.settings) as connection:
        (alert,) = alerts_since(connection, desk.now)
        with pytest.raises(EtlError, match="who"):
            acknowledge_alert(connection, alert.alert_id, by=" ", why="x")
        acknowledge_alert(connection, alert.alert_id, by="Ana", why="looking at the disk")
        with pytest.raises(EtlError, match="no open alert 999"):
            acknowledge_alert(connection, 999, by="Ana", why="x")
    desk.look(minutes=120)
    assert [(each.channel, each.action) for each in desk.news()] == [("pagerduty", "acknowledge")]


def test_nobody_hears_of_what_is_to_be_tried_again_until_that_failed_too(desk: Desk, channels_of: Channels) -> None:
    desk.retried.add("run 1")
    desk.load(failed={CRITICAL: "no"}, run="run 1")
    desk.look(minutes=5)
    assert desk.news() == []
    desk.retried.clear()
    desk.load(failed={CRITICAL: "no"}, run="run 2")
    desk.look()
    assert channels_of(desk.news()) == ["email", "pagerduty", "slack"]


def test_a_retry_that_does_not_end_is_not_waited_for_for_ever(desk: Desk, channels_of: Channels) -> None:
    desk.retried.add("run 1")
    desk.load(failed={CRITICAL: "no"}, run="run 1")
    desk.look(minutes=31)
    assert channels_of(desk.news()) == ["email", "pagerduty", "slack"]


def test_a_silence_mutes_until_it_ends_and_what_is_still_wrong_is_sent_then(desk: Desk, channels_of: Channels) -> None:
    with connect(desk.settings) as connection:
        silence = add_silence(connection, "open_dental", "", hours=2, by="Ana", why="a restore there")
        for words in ({"hours": 24 * 32}, {"hours": -1}, {"by": " "}, {"why": ""}):
            with pytest.raises(EtlError, match="an author, a reason, and an end"):
                add_silence(connection, "open_dental", "", **{"hours": 1, "by": "Ana", "why": "x", **words})
    desk.load(failed={CRITICAL: "no"})
    desk.look(minutes=60)
    assert desk.news() == []
    desk.look(minutes=61)
    assert channels_of(desk.news()) == ["email", "pagerduty", "slack"]
    with connect(desk.settings) as connection:
        end_silence(connection, silence.silence_id)
        with pytest.raises(EtlError, match="no silence"):
            end_silence(connection, silence.silence_id)


def test_a_silenced_table_is_left_out_of_what_others_fail_of(desk: Desk) -> None:
    with connect(desk.settings) as connection:
        add_silence(connection, "open_dental", f"{OPEN_DENTAL.schema}.{CRITICAL}", hours=2, by="Ana", why="known")
    desk.load(failed={CRITICAL: "od.x: gone", IMPORTANT: "od.x: gone"})
    desk.look(minutes=11)
    found = desk.news()
    assert {each.channel for each in found} == {"email", "slack"}
    assert all(CRITICAL not in each.body for each in found)


def test_a_channel_that_is_down_holds_up_no_other_and_gets_its_message_when_it_is_back(desk: Desk) -> None:
    desk.heard.is_down.add("email")
    desk.load(failed={CRITICAL: "no"})
    assert (desk.look().sent, desk.look(minutes=1).failed) == (2, 1)
    assert sorted(each.channel for each in desk.news()) == ["pagerduty", "slack"]
    desk.heard.is_down.clear()
    desk.look(minutes=5)
    assert [each.channel for each in desk.news()] == ["email"]
    desk.look(minutes=5)
    assert desk.news() == []


def test_a_channel_is_given_up_after_a_day(desk: Desk) -> None:
    desk.heard.is_down.add("slack")
    desk.load(failed={CRITICAL: "no"})
    for _ in range(3):
        desk.look(minutes=31)
    desk.look(minutes=24 * 60)
    with connect(desk.settings) as connection:
        waiting = connection.execute(
            "select count(*) from etl.alert_message where channel = 'slack' and kind = 'opened' and dropped_at is null"
        ).fetchone()
    assert waiting == (0,)


def test_one_process_at_a_time_sends(desk: Desk) -> None:
    desk.load(failed={CRITICAL: "no"})
    with connect(desk.settings, autocommit=True) as another:
        assert become_sender(another)
        assert desk.look().sent == 0
    assert desk.look().sent >= 3


def test_an_alert_opens_in_the_transaction_that_ends_its_batch(desk: Desk) -> None:
    with connect(desk.settings, role=None, autocommit=True) as connection:
        connection.execute("alter table etl.alert add constraint no_more check (false) not valid")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            desk.load(failed={CRITICAL: "no"})
        with connect(desk.settings) as connection:
            ended = connection.execute("select status from etl.batch order by started_at desc limit 1").fetchone()
        assert ended == ("running",), "it ended, and no alert was opened"
    finally:
        with connect(desk.settings, role=None, autocommit=True) as connection:
            connection.execute("alter table etl.alert drop constraint no_more")
    with open_batch(desk.settings, "operating_room", "load"):  # abandons the other one, with its alerts
        pass
    with connect(desk.settings) as connection:
        assert [alert.members[0].relation for alert in alerts_since(connection, desk.now)] == [
            f"{OPEN_DENTAL.schema}.{CRITICAL}"
        ]


def test_work_that_fails_as_a_whole_opens_an_alert_and_its_next_success_ends_it(desk: Desk) -> None:
    with pytest.raises(EtlError), open_batch(desk.settings, "tracktik", "build"):
        raise EtlError("dbt is not there")
    with pytest.raises(ValueError, match="Jane"), open_batch(desk.settings, "trialsync", "build"):
        raise ValueError("a name: Jane")
    with pytest.raises(KeyboardInterrupt), open_batch(desk.settings, "lacrei_saude", "build"):
        raise KeyboardInterrupt
    with connect(desk.settings) as connection:
        found = {(alert.source, alert.members[0].why) for alert in alerts_since(connection, desk.now)}
    assert found == {("tracktik", "dbt is not there"), ("trialsync", "ValueError")}
    for source in ("tracktik", "trialsync"):
        with open_batch(desk.settings, source, "build"):
            pass
    with connect(desk.settings) as connection:
        assert alerts_since(connection, desk.now) == []


def test_settings_that_cannot_be_used_are_named_and_not_repeated(desk: Desk) -> None:
    for name, value in (("EMAIL", "no such thing"), ("PAGERDUTY_URL", "http://events.example.org")):
        given = {"ETL_ALERTS_PAGERDUTY": "k" * 32, f"ETL_ALERTS_{name}": value}
        with pytest.raises(EtlError, match=f"ETL_ALERTS_{name}") as refused:
            channels(read_settings(given))
        assert value not in str(refused.value)
    assert channels(read_settings({})) == {}


def test_a_receiver_that_is_not_there_is_an_error_that_may_pass(desk: Desk) -> None:
    given = read_settings(
        {"ETL_ALERTS_SLACK": "json://127.0.0.1:9/x", "ETL_ALERTS_EMAIL": "mailto://127.0.0.1:9?from=a@b.org&to=a@b.org"}
    )
    note = Note(kind="opened", tier="critical", title="t", body="b")
    for channel in channels(given).values():
        with pytest.raises(TransientError, match="did not take"):
            channel(note)
