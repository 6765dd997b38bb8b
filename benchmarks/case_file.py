"""How fast a file of surgical cases with bad rows is loaded, next to bare COPY, pandas and DuckDB; and what each loses.

    python -m benchmarks.case_file [--rows 1000000] [--bad 0.01] [--rounds 3]

Two files are made from a seed: `typed` is well formed and has values that cannot be stored; `messy` has in addition
ragged lines, bytes that are no UTF-8, NULs, unclosed quotes, and quotes around a text in every row. Each way loads each
file into an empty table like `stg.or_case`, with its primary key and index, in a process of its own; the ways take
turns. Bare COPY gets the good rows only, which nobody has in practice: it is the limit. Times are from opening the file
to the commit, imports left out. Needs the extra `bench`.
"""

import argparse
import csv
import io
import json
import os
import platform
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.feeds import Feed
from etl_assets.loading.files.load_file import FileLoader
from etl_assets.sources.operating_room.tables import TABLES
from etl_assets.warehouse import embedded
from etl_assets.warehouse.copy import copy_in
from etl_assets.warehouse.files.tables import file_layout
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.tables import ensure_table

_CASES = next(table for table in TABLES if table.name == "or_case")
CASES = replace(_CASES, load=replace(_CASES.load, kept_rejects=1_000_000))
"""Every reject is kept: it is counted which bad lines were named."""
FEED = Feed(name="or_case", table="or_case", pattern="*")
HEADERS = (
    "case_id",
    "log_id",
    "patient_id",
    "surgery_date",
    "room_id",
    "room_name",
    "location_id",
    "location_name",
    "primary_surgeon_prov_id",
    "case_service",
    "sched_status",
    "preop_in",
    "or_in",
    "proc_start",
    "proc_end",
    "or_out",
    "sched_start_time",
    "sched_duration",
    "num_of_panels",
    "primary_procedure",
)
PROCEDURES = (
    "Partial ostectomy, fifth metatarsal head",
    "Lapidus bunionectomy",
    'Repair with 5" plate',
    "Cataract removal, with lens",
    "Hernia repair",
)
BATCH = UUID(int=0)
WAYS = ("bare COPY of the good rows", "this project", "pandas and COPY", "DuckDB rejects and COPY")
TYPED = ("no such day", "no number", "no such date", "a word", "no key", "key twice")
MESSY = (*TYPED, "too few fields", "too many fields", "no UTF-8", "NUL", "unclosed quote")


def rows(count: int) -> Iterator[list[str]]:
    """Believable cases, spread over two years."""
    begin = datetime(2022, 1, 1, 7)  # noqa: DTZ001 (the site's wall clock)
    for number in range(count):
        start = begin + timedelta(days=number * 730 // count, minutes=number * 37 % 500)
        room = number % 20 + 1
        moments = [str(start + timedelta(minutes=minutes)) for minutes in (-30, 0, 20, 80, 90, -5)]
        yield [
            f"C{number:08}", f"L{number:08}", f"P{number * 7919 % 1000003:07}", str(start.date()), f"OR{room}",
            f"Operating room {room}", "MAIN", "Main operating suite", f"S{number % 300}", "Orthopedics", "Completed",
            *moments, str(90 + number % 60), "1", PROCEDURES[number % 5],
        ]  # fmt: skip


def spoil(row: list[str], kind: str) -> list[bytes]:
    """The line of a row with a defect; for a key that comes twice, both lines, of which the first is bad."""
    row = list(row)
    places = {"no such day": (12, "2024-02-30 10:00:00"), "no number": (17, "abc"), "a word": (15, "now")}
    places |= {"no such date": (3, "2022-31-12"), "no key": (0, ""), "too few fields": (5, None), "NUL": (5, "a\0b")}
    if kind == "key twice":
        return [line([*row[:4], "OR0", *row[5:]]), line(row)]
    if kind == "too many fields":
        return [line([*row, "more"])]
    if kind == "no UTF-8":
        return [line([*row[:5], "Salle d'op\udce9ration", *row[6:]])]
    if kind == "unclosed quote":
        return [line([*row[:-1], ""]).rstrip(b"\n") + b'"open\n']
    at, value = places[kind]
    return [line(row[:at] + ([value] if value is not None else []) + row[at + 1 :])]


def line(row: list[str]) -> bytes:
    """A row as CSV."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(row)
    return written.getvalue().encode("utf-8", "surrogateescape")


def make(folder: Path, name: str, count: int, share: float, kinds: tuple[str, ...]) -> None:
    """Write a file, its good rows alone, and the lines of its bad ones."""
    dice = random.Random(7)  # noqa: S311
    bad: dict[int, str] = {}
    number = 1
    with (folder / f"{name}.csv").open("wb") as whole, (folder / f"{name}.good.csv").open("wb") as good:
        for file in (whole, good):
            file.write(line(HEADERS))
        for at, row in enumerate(rows(count)):
            if name == "typed":
                row[-1] = row[-1].replace(",", "").replace('"', "")
            number += 1
            text = line(row)
            if dice.random() >= share:
                whole.write(text)
                good.write(text)
                continue
            kind = kinds[at % len(kinds)]
            bad[number] = kind
            lines = spoil(row, kind)
            whole.write(b"".join(lines))
            if len(lines) > 1:
                number += 1
                good.write(text)
    (folder / f"{name}.bad.json").write_text(json.dumps(bad))


def load_bare(connection: psycopg.Connection, path: Path, target: Relation) -> dict[str, object]:
    """COPY of a file of good rows, straight into the table."""
    set_defaults(connection, target, path.name)
    connection.commit()
    begun = time.perf_counter()
    with path.with_suffix(".good.csv").open("rb", buffering=0) as file:
        statement = sql.SQL("copy {} ({}) from stdin (format csv, header)").format(target.identifier, listed())
        copy_in(connection, statement, iter(lambda: file.read(1 << 18), b""))
    connection.commit()
    return {"seconds": time.perf_counter() - begun}


def load_ours(connection: psycopg.Connection, path: Path, target: Relation) -> dict[str, object]:
    """The project's own way."""
    begun = time.perf_counter()
    load = FileLoader(connection, path, feed=FEED, table=CASES, target=target, batch_id=BATCH).load()
    connection.commit()
    seconds = time.perf_counter() - begun
    bad = json.loads(path.with_suffix(".bad.json").read_text())
    told = {str(reject.line) for reject in load.rejects if reject.reason}
    return {
        "seconds": seconds,
        "rejected": load.counts.rows_rejected,
        "told": len(told & bad.keys()),
        "wrongly": len(told - bad.keys()),
    }


def load_pandas(connection: psycopg.Connection, path: Path, target: Relation) -> dict[str, object]:
    """What people write: read_csv, coerce, drop what is missing, COPY."""
    import pandas as pd

    begun = time.perf_counter()
    frame = pd.read_csv(path, dtype=str, on_bad_lines="skip", encoding_errors="replace", low_memory=False)
    for column in CASES.columns:
        if column.name in HEADERS and column.type in {"date", "timestamp"}:
            frame[column.name] = pd.to_datetime(frame[column.name], errors="coerce")
        elif column.name in HEADERS and column.type == "integer":
            frame[column.name] = pd.to_numeric(frame[column.name], errors="coerce").astype("Int64")
    read = len(frame)
    frame = frame.dropna(subset=["case_id", "surgery_date", "or_in", "or_out", "sched_duration"])
    frame = frame.drop_duplicates("case_id", keep="last").assign(
        feed="or_case", file_name=path.name, etl_batch_id=str(BATCH), time_zone="UTC"
    )
    buffer = io.StringIO(frame.to_csv(index=False).replace("\0", ""))  # COPY refuses NULs
    with connection.cursor() as cursor:
        columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
        statement = sql.SQL("copy {} ({}) from stdin (format csv, header)").format(target.identifier, columns)
        with cursor.copy(statement) as copy:
            while block := buffer.read(1 << 20):
                copy.write(block)
    connection.commit()
    return {"seconds": time.perf_counter() - begun, "rejected": read - len(frame), "told": 0, "wrongly": 0}


def load_duckdb(connection: psycopg.Connection, path: Path, target: Relation) -> dict[str, object]:
    """read_csv with store_rejects into typed columns; without missing and repeated keys, COPY."""
    import duckdb

    kinds = {column.name: column.type for column in CASES.columns}
    types = {name: "varchar" if kinds[name] == "text" else kinds[name] for name in HEADERS}
    begun = time.perf_counter()
    cleaned = path.with_suffix(".cleaned.csv")
    with duckdb.connect() as database:
        # Detection refuses the messy file as a whole, so the dialect is told.
        database.execute(
            "create temp table good as from read_csv($path, columns = $types, header = true, auto_detect = false,"
            " delim = ',', quote = '\"', escape = '\"', nullstr = '', store_rejects = true)",
            {"path": str(path), "types": types},
        )
        # `line` of a reject drifts after an unclosed quote; its byte does not.
        rejects = database.execute("select distinct line_byte_position from reject_errors order by 1").fetchall()
        told = set(lines_of(path, [position for (position,) in rejects]))
        (count,) = database.execute(
            "copy (select * from good where case_id is not null and surgery_date is not null"
            " qualify row_number() over (partition by case_id order by rowid desc) = 1"
            ") to $path (format csv, header false)",
            {"path": str(cleaned)},
        ).fetchone() or (0,)
        (read,) = database.execute("select count(*) from good").fetchone() or (0,)
    set_defaults(connection, target, path.name)
    with cleaned.open("rb", buffering=0) as file:
        statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(target.identifier, listed())
        blocks = iter(lambda: file.read(1 << 18), b"")
        copy_in(connection, statement, (block.replace(b"\0", b"") for block in blocks))  # COPY refuses NULs
    connection.commit()
    seconds = time.perf_counter() - begun
    cleaned.unlink()
    bad = json.loads(path.with_suffix(".bad.json").read_text())
    return {
        "seconds": seconds,
        "rejected": len(told) + read - count,
        "told": len(told & bad.keys()),
        "wrongly": len(told - bad.keys()),
    }


def lines_of(path: Path, positions: list[int]) -> Iterator[str]:
    """The line numbers of ascending byte positions, which count from 1."""
    number, at = 1, 1
    with path.open("rb") as file:
        for position in positions:
            number += file.read(position - at).count(b"\n")
            at = position
            yield str(number)


def set_defaults(connection: psycopg.Connection, target: Relation, file_name: str) -> None:
    """Let the table fill the columns that the file does not have."""
    defaults = {"feed": "or_case", "file_name": file_name, "etl_batch_id": str(BATCH), "time_zone": "UTC"}
    for name, value in defaults.items():
        connection.execute(
            sql.SQL("alter table {} alter {} set default {}").format(
                target.identifier, sql.Identifier(name), sql.Literal(value)
            )
        )


def listed() -> sql.Composed:
    """The file's columns."""
    return sql.SQL(", ").join(map(sql.Identifier, HEADERS))


def run_one(way: str, path: Path, url: str, *, compare: bool) -> None:
    """One way on one file, in this process; the result goes to stdout as JSON."""
    target = Relation("stg", "benchmark_" + ("bare" if way == WAYS[0] else "other"))
    loaders = dict(zip(WAYS, (load_bare, load_ours, load_pandas, load_duckdb), strict=True))
    with psycopg.connect(url) as connection:
        connection.execute("create schema if not exists stg")
        connection.execute(sql.SQL("drop table if exists {}").format(target.identifier))
        ensure_table(connection, target, file_layout(CASES))
        connection.commit()
        result = loaders[way](connection, path, target)
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        result["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        if compare:
            result |= differences(connection, target)
    print(json.dumps(result))


def differences(connection: psycopg.Connection, target: Relation) -> dict[str, object]:
    """Rows in the table, good rows that are not in it, and rows in it that are not as a good row of the file."""
    truth = Relation("stg", "benchmark_bare").identifier
    names = {"target": target.identifier, "truth": truth, "columns": listed()}
    count, lost, corrupted = connection.execute(
        sql.SQL("""
            select
                (select count(*) from {target}),
                (
                    select count(*) from {truth} as truth
                    where not exists (select from {target} as other where other.case_id = truth.case_id)
                ),
                (select count(*) from (select {columns} from {target} except select {columns} from {truth}) as odd)
        """).format(**names)
    ).fetchone() or (0, 0, 0)
    return {"good": count, "lost": lost, "corrupted": corrupted}


def measure(folder: Path, url: str, rounds: int, names: tuple[str, ...], count: int) -> None:
    """Take turns, and print a table."""
    print(f"{'file':6} {'way':28} {'seconds':>8} {'(min-max)':>14} {'rows/s':>9} {'x bare':>7} {'good':>9}"
          f" {'rejected':>8} {'told':>7} {'lost':>6} {'corrupted':>9} {'RSS MB':>7}")  # fmt: skip
    for name in names:
        results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way in WAYS:
                command = [sys.executable, "-m", "benchmarks.case_file", "--way", way, "--file", f"{folder / name}.csv"]
                done = subprocess.run(  # noqa: S603
                    [*command, *(["--compare"] if turn == rounds - 1 else [])],
                    env={**os.environ, "BENCHMARK_URL": url}, stdout=subprocess.PIPE, check=True, text=True,
                )  # fmt: skip
                results[way].append(json.loads(done.stdout))
        limit = statistics.median(result["seconds"] for result in results[WAYS[0]])
        for way, found in results.items():
            times, last = [result["seconds"] for result in found], found[-1]
            middle = statistics.median(times)
            print(
                f"{name:6} {way:28} {middle:8.2f} {f'({min(times):.2f}-{max(times):.2f})':>14} {count / middle:9,.0f}"
                f" {middle / limit:7.2f} {last['good']:9,} {last.get('rejected', 0):8,} {last.get('told', 0):7,}"
                f" {last['lost']:6,} {last['corrupted']:9,} {last['rss']:7,.0f}",
                flush=True,
            )
            if last.get("wrongly"):
                print(f"       {last['wrongly']:,} good lines were rejected")


def main() -> None:
    """Make the files, measure, and say on what machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--bad", type=float, default=0.01, help="share of bad rows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--compare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        run_one(options.way, options.file, os.environ["BENCHMARK_URL"], compare=options.compare)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server and the files go with us
    with tempfile.TemporaryDirectory(prefix="etl-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for file, kinds in (("typed", TYPED), ("messy", MESSY)):
            make(folder, file, options.rows, options.bad, kinds)
        url = embedded.start_server(folder / "server")
        try:
            with psycopg.connect(url) as connection:
                version = connection.info.server_version // 10_000
            size = (folder / "typed.csv").stat().st_size / 1e6
            print(f"{options.rows:,} rows x {len(HEADERS)} columns, {size:.0f} MB, {options.bad:.1%} bad; medians of"
                  f" {options.rounds} rounds. {os.cpu_count()} cores, Python {platform.python_version()},"
                  f" PostgreSQL {version}, {platform.system()}.")  # fmt: skip
            measure(folder, url, options.rounds, ("typed", "messy"), options.rows)
        finally:
            embedded.stop_server(folder / "server")


if __name__ == "__main__":
    main()
