"""What a run costs when nothing has changed, one row, one file or a year: beside dbt building everything after it.

    python -m benchmarks.cost_of_change [--days 42]

`etl run operating_room` in an installation of its own, with files of so many days in it. CPU-seconds are those of all
processes; `database` is the database's part of them, and `x import` gives them in proportion to what the code location
alone takes to be imported. Beside it is `dbt build` of the same models, as a command and with its parse at hand. Linux.
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.installation import Cost, etl, own_installation, run
from etl_assets.orchestration.models.dbt_project import SQL, reach_warehouse
from etl_assets.settings import read_settings

CASES = "or_case*.csv"
DBT = [str(Path(sys.executable).with_name("dbt")), "build", "--exclude-resource-type", "unit_test"]
NOTHING = "no model was built"


def _last_cases(landing: Path) -> list[list[str]]:
    """Header and rows of the last day in the newest file of cases."""
    with max(landing.glob(CASES)).open(newline="") as file:
        header, *rows = csv.reader(file)
    day = header.index("surgery_date")
    last = max(row[day] for row in rows)
    return [header, *(row for row in rows if row[day] == last)]


def same_again(landing: Path) -> None:
    """A file that says what is known, in another order."""
    header, *rows = _last_cases(landing)
    _write(landing / "or_case_0_same.csv", [header, *reversed(rows)])


def one_row(landing: Path) -> None:
    """A file of a day, of which one case is another."""
    header, *rows = _last_cases(landing)
    rows[0][header.index("primary_procedure")] += " (corrected)"
    _write(landing / "or_case_0_corrected.csv", [header, *rows])


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def main() -> None:
    """Each change in turn, and what dbt takes after it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=42)
    days = parser.parse_args().days
    with own_installation() as home:
        landing = home / "landing" / "operating_room"
        importing = run(home, [sys.executable, "-c", "import etl_assets.definitions"])
        print(f"importing the code location alone: {importing.seconds:.1f} s, {importing.cpu:.1f} CPU-s\n")
        heads = f"{'s':>6} {'CPU-s':>6} {'database':>8} {'x import':>8} {'dbt: s':>7} {'CPU-s':>6}"
        print(f"{'change':26} {heads}   what was built", flush=True)
        new_files = ["sandbox", "operating_room", "--days", str(days)]
        etl(home, *new_files)
        steps: list[tuple[str, Callable[[], object], list[str]]] = [
            ("the first load", lambda: None, []),
            ("nothing new", lambda: None, []),
            ("a file, nothing changed", lambda: same_again(landing), []),
            ("one row", lambda: one_row(landing), []),
            ("files of a week", lambda: etl(home, *new_files[:2], "--days", str(days + 7)), []),
            ("a year asked for again", lambda: None, ["--from", "2026-01-01", "--to", "2026-12-31"]),
        ]
        for name, change, words in steps:
            change()
            cost = etl(home, "run", "operating_room", *words)
            beside = _dbt(home)
            etl(home, "run", "operating_room")  # what was built by hand is built anew once
            built = next((line for line in cost.said.splitlines() if "models were built" in line), NOTHING)
            print(
                f"{name:26} {cost.seconds:6.1f} {cost.cpu:6.1f} {cost.database:8.1f} {cost.cpu / importing.cpu:8.1f}"
                f" {beside.seconds:7.1f} {beside.cpu:6.1f}   {built.partition(';')[0]}",
                flush=True,
            )


def _dbt(home: Path) -> Cost:
    reach_warehouse(read_settings())
    folders = ["--project-dir", str(SQL), "--profiles-dir", str(SQL)]
    os.environ["DBT_TARGET_PATH"] = str(home / "target")
    return run(home, [*DBT, "--select", "path:models/operating_room", "path:seeds/operating_room", *folders])


if __name__ == "__main__":
    main()
