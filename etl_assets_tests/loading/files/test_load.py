"""The file pipeline as a whole: landing folder, ledger, staging; cut off, repeated and raced."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from threading import Thread

import psycopg

from etl_assets.declare.dates import Span
from etl_assets.loading.files.landing import scan_landing_folder
from etl_assets.loading.files.load import FileStrategy, LoadReport
from etl_assets.settings import Settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import abandon_dead_batches, missing_relations, open_batch
from etl_assets_tests.loading.files.pipeline import EVER, HEADER, MONDAY, cases, drop, load, row, statuses
from etl_assets_tests.loading.runs import load_by


def test_a_file_is_loaded_once(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", row("A"), row("B"))
    assert load(settings).counts.rows_inserted == 2
    second = load(settings)
    assert (second.files, second.counts.rows_read) == ([], 0)
    assert statuses(warehouse) == {"or_case_1.csv": "COMPLETED"}


def test_the_same_content_under_another_name_is_a_duplicate(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", row("A"))
    load(settings)
    drop(landing, "or_case_2.csv", row("A"))
    assert load(settings).files == []
    assert statuses(warehouse)["or_case_2.csv"] == "DUPLICATE"


def test_old_content_that_was_replaced_since_is_news_when_it_is_sent_again(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", row("A", room="1"))
    load(settings)
    drop(landing, "or_case_2.csv", row("A", room="2"))
    load(settings)
    drop(landing, "or_case_3.csv", row("A", room="1"))
    assert load(settings).counts.rows_updated == 1
    assert cases(warehouse) == [("A", 0, "1")]


def test_a_corrected_file_replaces_what_was_said_of_its_dates_and_no_others(settings, landing, warehouse) -> None:
    tuesday = MONDAY + timedelta(days=1)
    drop(landing, "or_case_1.csv", row("A"), row("B"), row("C", tuesday))
    load(settings)
    before = warehouse.execute("select xmin from stg.or_case where case_id = 'C'").fetchone()
    drop(landing, "or_case_1.csv", row("A", room="9"), row("D"))
    report = load(settings)
    counts = report.counts
    assert (counts.rows_inserted, counts.rows_updated, counts.rows_deleted) == (1, 1, 1)
    assert cases(warehouse) == [("A", 0, "9"), ("C", 1, "1"), ("D", 0, "1")]
    assert warehouse.execute("select xmin from stg.or_case where case_id = 'C'").fetchone() == before
    assert list(report.rows_by_slice) == [MONDAY]


def test_two_files_that_wait_are_loaded_in_the_order_in_which_they_came(settings, landing, warehouse) -> None:
    drop(landing, "or_case_b.csv", row("A", room="old"))
    drop(landing, "or_case_a.csv", row("A", room="new"))
    assert load(settings).files == ["or_case_b.csv", "or_case_a.csv"]
    assert cases(warehouse) == [("A", 0, "new")]


def test_loading_again_changes_nothing_and_brings_back_nothing_replaced(settings, landing, warehouse) -> None:
    tuesday = MONDAY + timedelta(days=1)
    drop(landing, "or_case_1.csv", row("A", room="old"), row("B", tuesday))
    drop(landing, "or_case_2.csv", row("A", room="new"))
    load(settings)
    report = load(settings, reload=True)
    assert sorted(report.files) == ["or_case_1.csv", "or_case_2.csv"]
    assert report.counts.changed == 0
    assert cases(warehouse) == [("A", 0, "new"), ("B", 1, "1")]


def test_a_date_that_was_lost_by_hand_is_brought_back_by_loading_it_again(settings, landing, warehouse) -> None:
    tuesday = MONDAY + timedelta(days=1)
    drop(landing, "or_case_1.csv", row("A"), row("B", tuesday))
    load(settings)
    warehouse.execute("delete from stg.or_case")
    assert load(settings, reload=True, span=Span(MONDAY, MONDAY)).counts.rows_inserted == 2


def test_a_case_that_moves_leaves_its_old_date_and_the_ledger_says_so(settings, landing, warehouse) -> None:
    friday = MONDAY + timedelta(days=4)
    drop(landing, "or_case_1.csv", row("A"), row("B"))
    load(settings)
    drop(landing, "or_case_2.csv", row("A", friday))
    load(settings)
    assert cases(warehouse) == [("A", 4, "1"), ("B", 0, "1")]
    left = warehouse.execute("select slices_left from etl.table_load order by load_id desc limit 1").fetchone()
    assert left == ([MONDAY],)


def test_a_file_that_cannot_be_read_fails_alone_and_says_why(settings, landing, warehouse) -> None:
    (landing / "or_case_broken.csv.gz").write_bytes(b"no gzip at all")
    (landing / "holiday_photo.png").write_bytes(b"no table at all")
    drop(landing, "or_case_1.csv", row("A"))
    assert load(settings).files == ["or_case_1.csv"]
    notes = dict(warehouse.execute("select file_name, notes from stg.file_tracking where status = 'FAILED'").fetchall())
    assert sorted(notes) == ["holiday_photo.png", "or_case_broken.csv.gz"]
    assert "no feed takes a file of this name" in notes["holiday_photo.png"]


def test_a_refused_file_leaves_what_was_held_and_keeps_its_reasons(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", row("A"))
    load(settings)
    bad = [row(f"B{n}").replace("08:00", "soon") for n in range(6)]
    drop(landing, "or_case_1.csv", row("A", room="9"), *bad)
    report = load(settings)
    assert list(report.refused) == ["or_case_1.csv"]
    assert cases(warehouse) == [("A", 0, "1")]
    errors = warehouse.execute("select source_file, line_number, column_name, row_data from stg.data_load_error")
    assert errors.fetchall() == [("or_case_1.csv", 3 + at, "or_in", text) for at, text in enumerate(bad)]
    assert statuses(warehouse) == {"or_case_1.csv": "FAILED"}


def test_rejected_rows_are_kept_with_line_and_reason_and_counts_add_up(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", *(row(f"C{n}") for n in range(20)), row("X").replace("08:00", "soon"))
    counts = load(settings).counts
    assert (counts.rows_read, counts.rows_inserted, counts.rows_rejected) == (21, 20, 1)
    found = warehouse.execute("select line_number, column_name, status from stg.data_load_error").fetchall()
    assert found == [(22, "or_in", "NEW")]


def test_the_rejects_of_a_file_that_was_replaced_are_superseded(settings, landing, warehouse) -> None:
    rows = [row(f"C{n}") for n in range(20)]
    drop(landing, "or_case_1.csv", *rows, row("X").replace("08:00", "soon"))
    load(settings)
    drop(landing, "or_case_1.csv", *rows, row("X"))
    load(settings)
    assert warehouse.execute("select distinct status from stg.data_load_error").fetchall() == [("SUPERSEDED",)]


def test_a_file_still_being_written_is_left_alone(settings, landing) -> None:
    patient = Settings(**{**vars(settings), "file_quiet_seconds": 60.0})
    (landing / "or_case_1.csv").write_text(f"{HEADER}\n{row('A')}\n")
    drop(landing, "or_case_2.csv.part", row("B"))
    with connect(settings, autocommit=True) as connection:
        scan = scan_landing_folder(patient, SOURCE, connection)
    assert (scan.unsettled, scan.registered) == (["or_case_1.csv"], [])


def test_a_file_that_was_just_dropped_is_waited_for(settings, landing) -> None:
    patient = Settings(**{**vars(settings), "file_quiet_seconds": 1.0})
    (landing / "or_case_1.csv").write_text(f"{HEADER}\n{row('A')}\n")
    with connect(settings, autocommit=True) as connection:
        assert scan_landing_folder(patient, SOURCE, connection).unsettled
        scan = scan_landing_folder(patient, SOURCE, connection, settle_seconds=10.0)
    assert (scan.unsettled, scan.registered) == ([], ["or_case_1.csv"])


def test_ten_thousand_new_files_are_registered_within_the_time_of_a_tick(settings, landing, warehouse) -> None:
    for number in range(10_000):
        (landing / f"or_case_{number}.csv").write_text(
            f"{HEADER}\n{row(f'C{number}', MONDAY + timedelta(days=number % 28))}\n"
        )
    scans = 0
    while not (scan := scan_landing_folder(settings, SOURCE, warehouse, seconds=20)).complete:
        assert scan.registered, "a scan that registers nothing would never end"
        scans += 1
    assert warehouse.execute("select count(*) from etl.source_file where status = 'pending'").fetchone() == (10_000,)
    assert scans < 10


def test_two_runs_at_once_load_a_file_once(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", *(row(f"C{n}") for n in range(5_000)))
    scan_landing_folder(settings, SOURCE, warehouse)
    reports: list[LoadReport] = []

    def run() -> None:
        with open_batch(settings, "operating_room", "load") as batch:
            reports.append(load_by(FileStrategy, settings, SOURCE, ["or_case"], span=EVER, batch=batch)["or_case"])

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(report.files) for report in reports) == [0, 1]
    assert len(cases(warehouse)) == 5_000


def test_a_run_that_is_killed_in_mid_load_leaves_nothing_and_the_next_one_completes_it(
    settings, landing, warehouse
) -> None:
    drop(landing, "or_case_0.csv", row("held"))
    load(settings)
    drop(landing, "or_case_1.csv", *(row(f"C{n}") for n in range(200_000)))
    scan_landing_folder(settings, SOURCE, warehouse)
    program = (
        "from etl_assets_tests.loading.files.pipeline import EVER, SOURCE, FileStrategy, load_by, open_batch\n"
        "from etl_assets.settings import read_settings\n"
        "with open_batch(read_settings(), 'operating_room', 'load') as batch:\n"
        "    load_by(FileStrategy, read_settings(), SOURCE, ['or_case'], span=EVER, batch=batch)\n"
    )
    environment = {**os.environ, "ETL_HOME": str(settings.home), "ETL_WAREHOUSE_URL": settings.warehouse_url}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    wait_for(
        warehouse,
        "select count(*) = 2 and exists (select from etl.source_file where status = 'loading') from pg_locks"
        " where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
    )  # that of the batch and that of the table, which is also held while the table is made
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(
        warehouse,
        "select not exists (select from pg_locks where locktype = 'advisory' and database = (select oid"
        " from pg_database where datname = current_database()))",
    )
    assert cases(warehouse) == [("held", 0, "1")]
    assert statuses(warehouse)["or_case_1.csv"] == "STARTED"

    assert abandon_dead_batches(warehouse) == 1
    assert load(settings).counts.rows_inserted == 200_000
    assert len(cases(warehouse)) == 200_000
    batches = warehouse.execute("select status, count(*) from etl.batch group by status order by status").fetchall()
    assert batches == [("abandoned", 1), ("success", 2)]


def wait_for(warehouse: psycopg.Connection, question: str) -> None:
    give_up = time.monotonic() + 60
    while warehouse.execute(question).fetchone() != (True,):
        assert time.monotonic() < give_up, question
        time.sleep(0.01)


def test_a_loaded_file_that_is_only_touched_stays_what_it_is(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", row("A"))
    load(settings)
    drop(landing, "or_case_1.csv", row("A"))
    assert load(settings).files == []
    assert statuses(warehouse) == {"or_case_1.csv": "COMPLETED"}
    assert warehouse.execute("select count(*) from etl.source_file").fetchone() == (1,)


def test_a_first_file_of_one_table_makes_them_all_for_models_read_them_all(settings, landing, warehouse) -> None:
    every = [f"{SOURCE.schema}.{table.name}" for table in SOURCE.tables]
    for relation in every:
        warehouse.execute(f"drop table if exists {relation} cascade")
    warehouse.commit()
    drop(landing, "or_case_1.csv", row("A"))
    load(settings)
    assert missing_relations(warehouse, every) == set()
