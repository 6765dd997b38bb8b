"""Files as they come when something went wrong: every row is accounted for, and no file costs another.

ETL_MUTATED_FILES says how many; `make` asks for a few, a look at all kinds of faults takes 2,000.
"""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from etl_assets.loading.files.landing import scan_landing_folder
from etl_assets.loading.files.load import FileStrategy
from etl_assets.loading.report import LoadReport
from etl_assets.settings import Settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.files.mutations import Dropped, drop_mutated
from etl_assets_tests.loading.files.pipeline import EVER
from etl_assets_tests.loading.runs import load_by

NUMBER = int(os.environ.get("ETL_MUTATED_FILES", "200"))
SEED = int(os.environ.get("ETL_MUTATED_SEED", "2026"))


@pytest.fixture(scope="module")
def installation(module_settings: Settings) -> Settings:
    """One that waits for no file to become quiet."""
    return Settings(**{**vars(module_settings), "file_quiet_seconds": 0.0})


@pytest.fixture(scope="module")
def dropped(installation) -> dict[str, Dropped]:
    """The files by their names, after everything was loaded."""
    folder: Path = installation.landing("operating_room")
    folder.mkdir(parents=True)
    dice = random.Random(SEED)  # noqa: S311
    files = [drop_mutated(folder, number, dice) for number in range(NUMBER)]
    with connect(installation, autocommit=True) as connection:
        scan = scan_landing_folder(installation, SOURCE, connection)
    assert (scan.complete, scan.unsettled) == (True, [])
    with open_batch(installation, "operating_room", "load") as batch:
        report = load_by(FileStrategy, installation, SOURCE, ["or_case"], span=EVER, batch=batch)["or_case"]
    assert_nothing_failed(report)
    return {file.name: file for file in files}


def assert_nothing_failed(report: LoadReport) -> None:
    assert report.failure is None
    assert len(report.files) > NUMBER // 3


@pytest.fixture
def ledger(installation, dropped):
    """Of each file of the ledger: status, notes, rows read, rows rejected, lines of which a reject is kept."""
    with connect(installation) as connection:
        rows = connection.execute(
            "select file.file_name, file.status, coalesce(file.notes, ''), loaded.rows_read, loaded.rows_rejected,"
            " loaded.rows_inserted + loaded.rows_updated + loaded.rows_unchanged, ("
            "     select count(distinct line_number) from etl.rejected_row as rejected"
            "     where rejected.file_id = file.file_id)"
            " from etl.source_file as file left join etl.table_load as loaded using (file_id)"
        ).fetchall()
    return {name: rest for name, *rest in rows}


def test_every_file_is_loaded_or_refused_with_its_name_and_a_reason(dropped, ledger) -> None:
    looked_at = {name for name, file in dropped.items() if file.mutation != "folder"}
    assert set(ledger) == looked_at
    assert {status for status, *_ in ledger.values()} <= {"loaded", "failed", "duplicate"}
    refused = {name: notes for name, (status, notes, *_) in ledger.items() if status == "failed"}
    told = {name: notes.removeprefix(f"{name}: ") for name, notes in refused.items()}
    assert {name: notes for name, notes in told.items() if notes == refused[name] or len(notes) < 10} == {}
    assert Counter(dropped[name].mutation for name in refused)["link out"] > 0
    assert not any("root:" in notes for notes in refused.values())


def test_the_rows_of_a_loaded_file_are_those_that_were_loaded_and_those_that_were_rejected(dropped, ledger) -> None:
    checked = Counter[str]()
    for name, (status, _, read, rejected, stored, told) in ledger.items():
        if status == "loaded" and read is not None:
            assert (read, told) == (stored + rejected, rejected), dropped[name]
            if dropped[name].rows is not None:
                assert read == dropped[name].rows, dropped[name]
                checked[dropped[name].mutation] += 1
    assert checked.total() > NUMBER // 3
    assert {"none", "swap_fields", "flip_bytes"} <= set(checked)


def test_what_is_good_arrives_whole_whatever_lies_beside_it(dropped, ledger) -> None:
    good = {name: file.rows for name, file in dropped.items() if file.mutation == "none"}
    assert {name: ledger[name][4] for name in good} == good


def test_no_batch_goes_on(installation, dropped) -> None:
    with connect(installation) as connection:
        batches = connection.execute("select distinct status from etl.batch").fetchall()
    assert batches == [("success",)]
