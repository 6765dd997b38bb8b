"""What it costs to find what changed in a PostgreSQL table, and what is missed: headers, `xmin` filters, row hashes.

    python -m benchmarks.header_digests [--rows 1000000] [--rounds 3]

A table in a PostgreSQL of its own, with the vacuum turned off. Between two readings something happens to it; each way
then finds what changed and reads those rows. The ways take turns; printed are medians, and their ratio to the header
digests.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from benchmarks.installation import own_installation
from etl_assets.declare.database_reader import Fingerprint, HeaderDigests, RowRange, SourceTable
from etl_assets.readers.database import connect_database, open_connection
from etl_assets.readers.database.postgres import PostgresReader
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import warehouse_url

BATCH_ROWS = 10_000
ROWS = """
create table public.visit (
    id bigint primary key, code varchar(32) not null, note text, paid numeric(10, 2), at timestamptz,
    updated_at timestamptz
) with (autovacuum_enabled = off)"""
FILL = """
insert into public.visit
select n, left(md5(n::text), 8), repeat(md5(n::text), 3), n % 500, now(), now() from generate_series(1, {rows}) as n"""
Found = tuple[int, set[str]]
"""How many rows were read, and the keys that are known to have changed or to be gone."""


@dataclass(frozen=True)
class Event:
    """What happens between two readings, and the key of the row that it happens to."""

    name: str
    statement: str | None
    key: int


class Headers:
    """Header digests, and the chunks that differ; the keys of the chunks are as in the ledger."""

    def __init__(self, reader: PostgresReader, table: SourceTable) -> None:
        self.reader, self.table = reader, table
        self.known = HeaderDigests(storage="", chunks={})
        self.keys: dict[int, set[str]] = {}

    def find(self) -> Found:
        """Digests by themselves; where they differ, once more and with the rows, in one snapshot."""
        if not self.reader.header_digests(self.table).changed_since(self.known):
            return 0, set()
        with self.reader.snapshot(self.table):
            found = self.reader.header_digests(self.table)
            changed = found.changed_since(self.known)
            read = {
                chunk: _keys(self.reader.read(self.table, RowRange(chunks=(chunk,)), batch_size=1)) for chunk in changed
            }
        here = set().union(*read.values())
        gone = set().union(*(self.keys.get(chunk, set()) for chunk in changed)) - here
        self.known = found
        self.keys |= read
        return len(here), here | gone


class XminFilter:
    """`where xmin > the greatest one that was seen`: a pass over the table, and no chunk is known."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection, self.last = connection, 0

    def find(self) -> Found:
        """The rows that later transactions have written."""
        rows = self.connection.execute(
            "select id::text, xmin::text::bigint, visit.* from public.visit where xmin::text::bigint > %s", [self.last]
        ).fetchall()
        self.last = max([self.last, *(row[1] for row in rows)])
        return len(rows), {row[0] for row in rows}


class RowHashes:
    """A hash of all columns of all rows by ranges of the key, as a sweep does it."""

    def __init__(self, reader: PostgresReader, table: SourceTable) -> None:
        self.reader, self.table = reader, table
        self.known: list[Fingerprint] = []
        self.keys: dict[int | None, set[str]] = {}

    def find(self) -> Found:
        """The ranges whose sum is another, and their rows."""
        bounds = [each.upto for each in self.known if each.upto is not None]
        found = list(self.reader.fingerprints(self.table, bounds, batch_size=BATCH_ROWS))
        changed = [each for each in found if each not in self.known]
        read = {
            each.after: _keys(
                self.reader.read(self.table, RowRange(after=each.after, upto=each.upto), batch_size=BATCH_ROWS)
            )
            for each in changed
        }
        here = set().union(*read.values())
        gone = set().union(*(self.keys.get(each.after, set()) for each in changed)) - here
        self.known = found
        self.keys |= read
        return len(here), here | gone


def _keys(blocks: Iterator[bytes]) -> set[str]:
    return {line.split(b"\t", 1)[0].decode() for block in blocks for line in block.splitlines()}


def _seconds(find: Callable[[], Found]) -> tuple[float, Found]:
    begun = time.perf_counter()
    found = find()
    return time.perf_counter() - begun, found


@contextmanager
def _late(url: str, key: int) -> Iterator[None]:
    """A transaction that began before what happens in the block and is committed after it."""
    with open_connection(url) as late:
        late.execute("begin")
        late.execute("update public.visit set note = 'late' where id = %s", [key])
        yield
        late.execute("commit")


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with own_installation():
        url = f"{warehouse_url(read_settings())}?options=-csearch_path%3Dpublic"
        with open_connection(url) as connection:
            connection.execute(ROWS)
            connection.execute(FILL.format(rows=chosen.rows).encode())
            connection.execute("vacuum analyze public.visit")
            _measure(url, connection, chosen.rows, chosen.rounds)


def _measure(url: str, connection: psycopg.Connection, rows: int, rounds: int) -> None:
    reader = connect_database({"url": url})
    if not isinstance(reader, PostgresReader):
        raise TypeError("the benchmark is of PostgreSQL")
    table = reader.describe(["visit"])["visit"]
    ways = {
        "header digests": Headers(reader, table),
        "xmin filter": XminFilter(connection),
        "row hashes": RowHashes(reader, table),
    }
    took: dict[tuple[str, str], list[float]] = {}
    last: dict[tuple[str, str], tuple[int, bool]] = {}

    def look(event: str, key: int) -> None:
        for name, way in ways.items():
            seconds, (read, keys) = _seconds(way.find)
            took.setdefault((event, name), []).append(seconds)
            last[event, name] = read, str(key) in keys

    look("first reading", 1)
    for number in range(rounds):
        key = rows // 2 + number * 7
        for event in (
            Event("nothing", None, 0),
            Event("one row updated", f"update public.visit set note = 'new' where id = {key}", key),
            Event("one row deleted", f"delete from public.visit where id = {key + 1}", key + 1),
        ):
            if event.statement:
                connection.execute(event.statement.encode())
            look(event.name, event.key)
        with _late(url, key + 2):
            connection.execute("update public.visit set note = 'soon' where id = %s", [key + 3])
            look("one row beside it", key + 3)
        look("one row, committed late", key + 2)
        connection.execute("vacuum (freeze) public.visit")
        look("vacuum (freeze)", 0)
    reader.close()
    print(f"{rows:,} rows\n{'what happened':25} {'way':15} {'seconds':>8} {'ratio':>6} {'rows read':>10}  seen")
    for (event, name), seconds in took.items():
        median = statistics.median(seconds)
        ratio = median / statistics.median(took[event, "header digests"])
        read, seen = last[event, name]
        word = "-" if event in {"nothing", "vacuum (freeze)"} else "yes" if seen else "MISSED"
        print(f"{event:25} {name:15} {median:8.2f} {ratio:6.1f} {read:10,}  {word}")


if __name__ == "__main__":
    main()
