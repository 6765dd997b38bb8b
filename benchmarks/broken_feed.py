"""What a broken feed costs: cases that all lie on top of each other, next to as many ordinary ones.

    python -m benchmarks.broken_feed [--cases 200000]

Two files of surgical cases are each loaded by `etl run operating_room` into an installation of its own: staging,
checks, models, summary. In the one, a room has four cases a day, one after the other. In the other, 400 begin and end
at the same time in each room and day, as of a test feed or a default time: every case but the first of its room and day
is an overlap. The findings must be counted exactly, and neither time nor the database may grow with their pairs.
"""

import argparse
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import psycopg

from benchmarks.installation import etl, own_installation
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import warehouse_url

HEADER = "case_id,surgery_date,room_id,location_id,patient_id,primary_surgeon_prov_id,or_in,or_out,sched_status"
FIRST, ROOMS, AT_ONCE = date(2024, 1, 1), 50, 400
OVERLAPS = "select coalesce(sum(findings), 0) from etl.finding_count where rule = 'OverlappingCases'"
KEPT = "select count(*) from etl.quality_issue where rule = 'OverlappingCases'"
SIZE = "select pg_database_size(current_database())"


def ordinary(cases: int) -> Iterator[str]:
    """Four cases a room and day, one after the other."""
    for number in range(cases):
        room, nth = number % ROOMS, number // ROOMS
        begins = datetime.combine(FIRST + timedelta(days=nth // 4), datetime.min.time()) + timedelta(
            hours=7 + 2 * (nth % 4)
        )
        yield _line(number, room, begins)


def broken(cases: int) -> Iterator[str]:
    """400 cases a room and day, all at eight o'clock."""
    for number in range(cases):
        room, nth = number % ROOMS, number // ROOMS
        yield _line(
            number,
            room,
            datetime.combine(FIRST + timedelta(days=nth // AT_ONCE), datetime.min.time()) + timedelta(hours=8),
        )


def _line(number: int, room: int, begins: datetime) -> str:
    over = begins + timedelta(hours=1)
    return f"C{number},{begins:%Y-%m-%d},R{room},MAIN,P{number},S{number % 90},{begins},{over},Completed\n"


def measure(name: str, lines: Iterator[str]) -> tuple[float, list[int]]:
    """Load a file into an installation of its own: seconds, and overlaps found, kept, and the bytes it grew by."""
    with own_installation() as home:
        landing = home / "landing" / "operating_room"
        landing.mkdir(parents=True)
        with (landing / f"or_case_{name}.csv").open("w") as file:
            file.write(HEADER + "\n")
            file.writelines(lines)
        with psycopg.connect(warehouse_url(read_settings()), autocommit=True) as connection:
            empty = _number(connection, SIZE)
            seconds = etl(home, "run", "operating_room").seconds
            counts = [_number(connection, query) for query in (OVERLAPS, KEPT)]
            return seconds, [*counts, _number(connection, SIZE) - empty]


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    """Both files, and how the second compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200_000)
    cases = parser.parse_args().cases
    print(f"{cases:,} cases by `etl run`, of both kinds.")
    print(f"{'file':10} {'seconds':>8} {'x ordinary':>10} {'overlaps':>9} {'kept':>7} {'MB':>6}")
    usual = 0.0
    for name, lines in (("ordinary", ordinary(cases)), ("broken", broken(cases))):
        seconds, (overlaps, kept, grown) = measure(name, lines)
        usual = usual or seconds
        print(f"{name:10} {seconds:8.1f} {seconds / usual:10.2f} {overlaps:9,} {kept:7,} {grown / 1e6:6.0f}")


if __name__ == "__main__":
    main()
