import psycopg
import pytest

from etl_assets.warehouse.ledger import Counts, abandon_dead_batches, open_batch, record_load, record_watermark
from etl_assets.warehouse.relation import Relation

CASES = Relation("stg", "or_case")


def statuses(ledger: psycopg.Connection) -> list[str]:
    return [status for (status,) in ledger.execute("select status from etl.batch order by started_at")]


def test_a_batch_is_running_until_it_ends(settings, ledger) -> None:
    with open_batch(settings, "operating_room", "load"):
        assert statuses(ledger) == ["running"]
    assert statuses(ledger) == ["success"]


def test_a_batch_that_raises_has_failed_with_the_reason(settings, ledger) -> None:
    with pytest.raises(ValueError, match="no such day"), open_batch(settings, "operating_room", "load"):
        raise ValueError("no such day")
    assert ledger.execute("select status, error from etl.batch").fetchall() == [("failed", "no such day")]


def test_a_batch_at_work_is_not_taken_for_dead(settings, ledger) -> None:
    with open_batch(settings, "operating_room", "load"):
        assert abandon_dead_batches(ledger) == 0
        assert statuses(ledger) == ["running"]


def test_a_batch_whose_session_died_is_abandoned_by_the_next(settings, ledger) -> None:
    with pytest.raises(psycopg.OperationalError):
        die_at_work(settings, ledger)
    assert statuses(ledger) == ["running"]
    with open_batch(settings, "operating_room", "load"):
        assert statuses(ledger) == ["abandoned", "running"]
    assert ledger.execute("select status, batch_id from etl.source_file").fetchall() == [("pending", None)]


def die_at_work(settings, ledger: psycopg.Connection) -> None:
    with open_batch(settings, "operating_room", "load") as batch:
        ledger.execute(
            "insert into etl.source_file (source, file_name, size_bytes, modified_at, status, batch_id)"
            " values ('operating_room', 'a.csv', 1, now(), 'loading', %s)",
            [batch.id],
        )
        ledger.execute("reset role")
        ledger.execute("select pg_terminate_backend(%s)", [batch.connection.info.backend_pid])
        batch.connection.execute("select 1")


def test_counts_that_do_not_add_up_are_refused_by_the_ledger_itself(settings, ledger) -> None:
    with (
        open_batch(settings, "operating_room", "load") as batch,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        record_load(ledger, batch, CASES, Counts(rows_read=3, rows_inserted=2), seconds=0.1)


def test_a_watermark_never_goes_back(settings, ledger) -> None:
    with open_batch(settings, "operating_room", "load") as batch:
        for day in ("2026-01-02", "2026-01-05", "2026-01-03"):
            record_watermark(ledger, batch, CASES, day)
    assert ledger.execute("select value from etl.watermark").fetchall() == [("2026-01-05",)]
