from uuid import uuid4

import psycopg

from etl_assets.warehouse.ledger_retention import forget_quiet_history

KEEP = 100


def batch(ledger: psycopg.Connection) -> str:
    number = str(uuid4())
    ledger.execute("insert into etl.batch (batch_id, source, kind) values (%s, 'open_dental', 'load')", [number])
    return number


def add_load(ledger: psycopg.Connection, age: int, *, of: str | None = None, **given: object) -> int:
    """A load of so many days ago, which read a row and found it as it was where nothing else is said."""
    values = {
        "relation": "raw.patient",
        "instance": "",
        "is_news": True,
        "rows_inserted": 0,
        "rows_rejected": 0,
        **given,
    }
    found = ledger.execute(
        "insert into etl.table_load (batch_id, relation, instance, loaded_at, seconds, is_news, rows_read,"
        " rows_inserted, rows_updated, rows_unchanged, rows_deleted, rows_rejected)"
        " values (%(batch)s, %(relation)s, %(instance)s, now() - make_interval(days => %(age)s), 1, %(is_news)s, 1,"
        " %(rows_inserted)s, 0, 1 - %(rows_inserted)s - %(rows_rejected)s, 0, %(rows_rejected)s) returning load_id",
        {"batch": of or batch(ledger), "age": age, **values},
    ).fetchone()
    assert found
    return int(found[0])


def left(ledger: psycopg.Connection) -> set[int]:
    return {number for (number,) in ledger.execute("select load_id from etl.table_load")}


def test_an_old_load_that_changed_nothing_is_forgotten_and_a_young_one_is_not(ledger: psycopg.Connection) -> None:
    add_load(ledger, KEEP + 1)
    young = {add_load(ledger, KEEP - 1), add_load(ledger, 1)}
    assert forget_quiet_history(ledger, KEEP) == 1
    assert left(ledger) == young
    assert forget_quiet_history(ledger, KEEP) == 0


def test_an_old_load_that_changed_or_rejected_a_row_stays(ledger: psycopg.Connection) -> None:
    kept = {add_load(ledger, 300, rows_inserted=1), add_load(ledger, 200, rows_rejected=1), add_load(ledger, 1)}
    assert forget_quiet_history(ledger, KEEP) == 0
    assert left(ledger) == kept


def test_the_last_of_each_tenant_s_table_stays_with_all_its_parts(ledger: psycopg.Connection) -> None:
    add_load(ledger, 300)
    last = batch(ledger)
    kept = {add_load(ledger, 201, of=last), add_load(ledger, 200, of=last)}
    kept |= {add_load(ledger, 300, instance="south"), add_load(ledger, 300, relation="raw.clinic")}
    assert forget_quiet_history(ledger, KEEP) == 1
    assert left(ledger) == kept


def test_the_last_that_was_news_stays_behind_loads_that_were_not(ledger: psycopg.Connection) -> None:
    add_load(ledger, 300)
    news = add_load(ledger, 250)
    add_load(ledger, 200, is_news=False)
    last = add_load(ledger, 1, is_news=False)
    forget_quiet_history(ledger, KEEP)
    assert left(ledger) == {news, last}


def test_of_builds_and_checks_what_changed_or_failed_stays_and_the_last(ledger: psycopg.Connection) -> None:
    builds = [(300, "success", 0), (299, "success", 5), (298, "error", None), (200, "success", 0)]
    for age, status, rows in builds:
        ledger.execute(
            "insert into etl.model_build (batch_id, relation, status, rows_changed, seconds, built_at)"
            " values (%s, 'open_dental.fact_visit', %s, %s, 1, now() - make_interval(days => %s))",
            [batch(ledger), status, rows, age],
        )
    for age, rule in ((300, "a"), (200, "a"), (300, "b"), (1, "b")):
        ledger.execute(
            "insert into etl.quality_result (batch_id, source, relation, rule, severity, passed, rows_checked,"
            " rows_broken, checked_at) values (%s, 'open_dental', 'raw.patient', %s, 'error', true, 1, 0,"
            " now() - make_interval(days => %s))",
            [batch(ledger), rule, age],
        )
    assert forget_quiet_history(ledger, KEEP) == 3
    ages = "select extract(day from now() - built_at)::int from etl.model_build order by built_at"
    assert [age for (age,) in ledger.execute(ages)] == [299, 298, 200]
    results = "select rule, extract(day from now() - checked_at)::int from etl.quality_result order by rule"
    assert ledger.execute(results).fetchall() == [("a", 200), ("b", 1)]
