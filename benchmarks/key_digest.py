"""What counting keys in and out (`etl prove`) costs: the same COPY and the same delete, with the triggers and without.

    python -m benchmarks.key_digest [--rows 500000] [--rounds 3]

A table like staging of documents, in a PostgreSQL of its own; the two ways take turns. `prove` is the comparison
of the whole table with the sums.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import psycopg

from benchmarks.installation import own_installation
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.proof import count_rows_of, prove_table
from etl_assets.warehouse.relation import Relation

TABLE = Relation("stg", "counted")
DOCUMENT = '{"id": %d, "name": "' + "x" * 700 + '"}'
STEPS = ("COPY in blocks of 1,000", "COPY at once", "delete a tenth")


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _copy(connection: psycopg.Connection, first: int, last: int) -> None:
    with connection.cursor().copy("copy stg.counted from stdin") as copy:
        for at in range(first, last):
            copy.write_row((at, at % 40, DOCUMENT % at, "00000000-0000-0000-0000-000000000000"))


def measure(connection: psycopg.Connection, rows: int, *, counted: bool) -> list[float]:
    """Seconds of each of STEPS, into a table made anew, with its keys counted or not."""
    connection.execute("drop table if exists stg.counted")
    connection.execute(
        "create table stg.counted (study_id bigint, entity_id bigint, data jsonb, etl_batch_id uuid,"
        " primary key (study_id, entity_id))"
    )
    if counted:
        count_rows_of(connection, TABLE, ["study_id", "entity_id"])
    half = rows // 2

    def in_blocks() -> None:
        for first in range(0, half, 1000):
            _copy(connection, first, min(first + 1000, half))

    took = [
        _seconds(in_blocks),
        _seconds(lambda: _copy(connection, half, rows)),
        _seconds(lambda: connection.execute("delete from stg.counted where entity_id = 7 or entity_id = 8")),
    ]
    connection.execute("select etl.fold_key_digests()")
    return took


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=500_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    plain: list[list[float]] = []
    counted: list[list[float]] = []
    with own_installation(), connect(read_settings(), autocommit=True) as connection:
        connection.execute("set etl.load = 'on'")  # as a load says that it is one
        connection.execute("insert into etl.batch (batch_id, source, kind) values (gen_random_uuid(), 'x', 'load')")
        for _ in range(chosen.rounds):
            plain.append(measure(connection, chosen.rows, counted=False))
            counted.append(measure(connection, chosen.rows, counted=True))
        connection.execute(
            "insert into etl.table_load (batch_id, relation, seconds, rows_read, rows_inserted, rows_updated,"
            " rows_unchanged, rows_deleted, rows_rejected) select batch_id, 'stg.counted', 0, 0, 0, 0, 0, 0, 0"
            " from etl.batch"
        )
        proved = _seconds(lambda: prove_table(connection, TABLE))
    print(f"{'step':28} {'seconds':>8} {'counted':>8} {'ratio':>6}")
    for step, before, after in zip(STEPS, zip(*plain, strict=True), zip(*counted, strict=True), strict=True):
        without, with_sums = statistics.median(before), statistics.median(after)
        print(f"{step:28} {without:8.2f} {with_sums:8.2f} {with_sums / without:6.2f}")
    print(f"prove: {proved:.2f} s for {chosen.rows:,} rows")


if __name__ == "__main__":
    main()
