"""How fast a dimension takes in a day's changes: the project's scd2 next to dbt's snapshot; and whether both are right.

    python -m benchmarks.dimension_merge [--members 500000] [--rounds 3]

A table of members with ten attributes, of which one says that they are deleted, is the source. Before each round 2 %
of the members change, 1 % are new and 0.5 % are deleted; then each way runs, in turns. Times are dbt's own
`execution_time` of the node: starting dbt and parsing the project, which both need alike, are left out. The snapshot
compares the named columns (`check_cols`), or all; scd2 compares all. Where deletions are found by absence, the
snapshot reads a list that leaves deleted members out (`hard_deletes: invalidate`), as a service gives it; staging
finds deletions before scd2 runs. Where the whole history is restated, the model selects besides the members every
state they were ever in, a fifth of them at the start, which a snapshot cannot take in at all.
"""

import argparse
import os
import platform
import signal
import statistics
import sys
import tempfile
import warnings
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from etl_assets.settings import PROJECT
from etl_assets.warehouse import embedded

ATTRIBUTES = "full_name, email, city, region, job_title, status, level, rate, hired_on, is_deleted"
WAYS = {
    "scd2": ("run", "by_scd2", "is_current and surrogate_key <> -1"),
    "snapshot, columns named": ("snapshot", "by_snapshot", "dbt_valid_to is null"),
    "snapshot, deletions by absence": ("snapshot", "by_snapshot_of_a_list", "dbt_valid_to is null"),
    "snapshot, all columns": ("snapshot", "by_snapshot_of_all", "dbt_valid_to is null"),
    "scd2, whole history restated": ("run", "by_scd2_of_history", "is_current and surrogate_key <> -1"),
}
"""What dbt is asked to do, for which node, and which of its rows are in force."""

MEMBERS = """
    create role etl_transformer;
    grant etl_transformer to current_user;
    create schema benchmark authorization etl_transformer;
    set role etl_transformer;
    create table benchmark.members as
    select
        number as member_id,
        'Name ' || number || ' of ' || number % 9973 as full_name,
        'member' || number || '@example.org' as email,
        'City ' || number % 211 as city,
        'Region ' || number % 17 as region,
        'Job ' || number % 97 as job_title,
        case when number % 7 = 0 then 'LEAVE' else 'ACTIVE' end as status,
        (number % 9)::smallint as level,
        (number % 5000)::numeric(10, 2) / 100 as rate,
        date '2010-01-01' + number % 5000 as hired_on,
        false as is_deleted,
        timestamptz '2026-01-01' as changed_at
    from generate_series(1, {members}) as number;
    create table benchmark.former as
    select * from benchmark.members where member_id % 5 = 0;
    update benchmark.former set city = 'City before', changed_at = '2025-01-01'
"""
CHANGES = """
    create table benchmark.day as
    select
        *,
        (member_id::bigint * 7919 + {turn} * 31) % 200 as draw,
        timestamptz '2026-01-01' + interval '{turn} days' as day
    from benchmark.members;
    insert into benchmark.former
    select member_id, {attributes}, changed_at from benchmark.day
    where not is_deleted and (draw % 50 = 0 or draw = 7);
    drop table benchmark.members;
    create table benchmark.members as
    select
        member_id,
        full_name,
        email,
        city || case when not is_deleted and draw % 50 = 0 then '!' else '' end as city,
        region,
        job_title,
        status,
        level,
        rate + case when not is_deleted and draw % 50 = 0 then 1 else 0 end as rate,
        hired_on,
        is_deleted or draw = 7 as is_deleted,
        case when not is_deleted and (draw % 50 = 0 or draw = 7) then day else changed_at end as changed_at
    from benchmark.day
    union all
    select (select max(member_id) from benchmark.day) + member_id, {attributes}, day
    from benchmark.day
    where member_id <= {members} / 100;
    drop table benchmark.day
"""


def run_dbt(word: str, node: str, folder: Path) -> float:
    """Have dbt build one node; how many seconds it says that took."""
    from dbt.cli.main import dbtRunner  # it reads the environment where it is imported

    project = Path(__file__).parent / "dimension_project"
    folders = ["--project-dir", str(project), "--profiles-dir", str(PROJECT / "sql")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dbt's own
        done = dbtRunner().invoke(["--quiet", word, "--select", node, *folders])
    if not done.success:
        sys.exit(f"dbt {word} --select {node} failed; its log is in {folder}.")
    return float(done.result.results[0].execution_time)


def in_environment(url: str, folder: Path) -> None:
    """Tell dbt by the environment where the warehouse is, and where to write."""
    parts = conninfo_to_dict(url)
    os.environ.update(
        ETL_DBT_HOST=str(parts["host"]), ETL_DBT_PORT=str(parts["port"]), ETL_DBT_USER=str(parts["user"]),
        ETL_DBT_PASSWORD=str(parts["password"]), ETL_DBT_NAME=str(parts["dbname"]),
        DBT_TARGET_PATH=str(folder / "target"), DBT_LOG_PATH=str(folder / "logs"),
    )  # fmt: skip


def wrong_rows(connection: psycopg.Connection, node: str, is_current: str) -> int:
    """Rows in force that are not as the source has them, and rows of the source that are not in force."""
    existing = f"select member_id, {ATTRIBUTES} from benchmark.{node} where {is_current}"
    expected = f"select member_id, {ATTRIBUTES} from benchmark.members" + (
        " where not is_deleted" if node == "by_snapshot_of_a_list" else ""
    )
    found = connection.execute(
        f"select (select count(*) from ({existing} except all {expected}) as odd)"
        f" + (select count(*) from ({expected} except all {existing}) as missing)"
    ).fetchone()
    return int(found[0]) if found else -1


def measure(connection: psycopg.Connection, folder: Path, *, members: int, rounds: int) -> None:
    """Take turns, and print a table."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    ways = list(WAYS)
    for turn in range(rounds + 1):
        if turn:
            connection.execute(CHANGES.format(turn=turn, members=members, attributes=ATTRIBUTES))
        # A day lies between two builds: no way pays for what the changes or the last build left behind.
        for (table,) in connection.execute(
            "select relname from pg_class where relnamespace = 'benchmark'::regnamespace and relkind = 'r'"
        ).fetchall():
            connection.execute(f"vacuum analyze benchmark.{table}")
        for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
            word, node, _ = WAYS[way]
            times[way].append(run_dbt(word, node, folder))
    print(f"{'way':31} {'first s':>8} {'seconds':>8} {'(min-max)':>12} {'x scd2':>7} {'versions':>10} {'in force':>9}"
          f" {'wrong':>6}")  # fmt: skip
    limit = statistics.median(times["scd2"][1:])
    for way, (first, *later) in times.items():
        _, node, is_current = WAYS[way]
        versions, current = connection.execute(
            f"select count(*), count(*) filter (where {is_current}) from benchmark.{node}"
        ).fetchone() or (0, 0)
        middle, span = statistics.median(later), f"({min(later):.2f}-{max(later):.2f})"
        print(f"{way:31} {first:8.2f} {middle:8.2f} {span:>12} {middle / limit:7.2f} {versions:10,} {current:9,}"
              f" {wrong_rows(connection, node, is_current):6,}", flush=True)  # fmt: skip


def main() -> None:
    """Start a server, measure, and say on what machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server goes with us
    with tempfile.TemporaryDirectory(prefix="etl-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        url = embedded.start_server(folder / "server")
        try:
            in_environment(url, folder)
            with psycopg.connect(url, autocommit=True) as connection:
                version = connection.info.server_version // 10_000
                print(f"{options.members:,} members x 10 attributes; before each of {options.rounds} rounds 2 % change,"
                      f" 1 % are new, 0.5 % are deleted; medians. {os.cpu_count()} cores, Python"
                      f" {platform.python_version()}, PostgreSQL {version}, {platform.system()}.")  # fmt: skip
                connection.execute(MEMBERS.format(members=options.members))
                measure(connection, folder, members=options.members, rounds=options.rounds)
        finally:
            embedded.stop_server(folder / "server")


if __name__ == "__main__":
    main()
