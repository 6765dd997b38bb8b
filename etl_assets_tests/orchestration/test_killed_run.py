"""A run is killed in the middle of a load, as the power does it, and started again."""

import time
from datetime import date, timedelta

from etl_assets_tests.orchestration.installation import Installation

ROWS = 60_000
START = date(2026, 1, 5)


def write(installation: Installation) -> None:
    lines = ["case_id,surgery_date,room_id,or_in,or_out"]
    for number in range(ROWS):
        day = START + timedelta(days=number % 5)
        lines.append(f"C{number},{day},{number // 5},{day} 08:00,{day} 11:00")  # each in a room of its own
    (installation.landing / "or_case_1.csv").write_text("\n".join(lines) + "\n")


def test_a_killed_run_and_the_same_again_are_as_if_nothing_had_happened(installation: Installation) -> None:
    installation.etl("migrate")
    write(installation)
    process = installation.start("run", "operating_room")
    # The ledger says that the file is being taken in; its transaction is under way.
    while installation.query("select status from stg.file_tracking") != [("STARTED",)]:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    installation.kill(process)
    while installation.query(
        "select 1 from pg_locks where locktype = 'advisory' and database = (select oid"
        " from pg_database where datname = current_database())"
    ):
        time.sleep(0.02)
    assert installation.query("select count(*) from stg.or_case") == [(0,)]
    assert installation.query("select status from etl.batch where kind = 'load'") == [("running",)]

    installation.etl("run", "operating_room")
    assert installation.query("select count(*), count(distinct case_id) from stg.or_case") == [(ROWS, ROWS)]
    assert installation.query("select count(*) from operating_room.fact_case") == [(ROWS,)]
    assert installation.query("select status, count(*) from etl.batch where kind = 'load' group by 1 order by 1") == [
        ("abandoned", 1),
        ("success", 1),
    ]
    assert installation.query("select count(*) from etl.batch where status = 'running'") == [(0,)]
