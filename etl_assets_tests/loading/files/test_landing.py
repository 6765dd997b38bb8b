"""Intake: what lies in a landing folder that is no good file costs itself only."""

import os
import random
import stat
from pathlib import Path

import psycopg
import pytest

from etl_assets.errors import FileRefused
from etl_assets.loading.files.landing import landed_file, scan_landing_folder
from etl_assets.readers.files import open as file_reader
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets_tests.loading.files.pipeline import HEADER, cases, drop, load, row, statuses

ELSEWHERE = "root:x:0:0"


def notes(warehouse: psycopg.Connection) -> dict[str, str]:
    """What is told of each file that failed."""
    return dict(warehouse.execute("select file_name, notes from stg.file_tracking where status = 'FAILED'").fetchall())


def test_a_name_that_is_not_utf_8_is_told_escaped_and_stops_nothing(settings, landing, warehouse) -> None:
    named = os.fsencode(landing) + b"/or_case_\xe9t\xe9.csv"
    Path(os.fsdecode(named)).write_text(f"{HEADER}\n{row('X')}\n")
    folder = Path(os.fsdecode(os.fsencode(landing) + b"/m\xe4rz"))
    folder.mkdir()
    (folder / "or_case_2.csv").write_text(f"{HEADER}\n{row('Y')}\n")
    drop(landing, "or_case_1.csv", row("A"))
    assert load(settings).files == ["or_case_1.csv"]
    assert cases(warehouse) == [("A", 0, "1")]
    told = notes(warehouse)
    assert sorted(told) == ["m\\xe4rz/or_case_2.csv", "or_case_\\xe9t\\xe9.csv"]
    assert all("its name is not UTF-8" in note and "Rename it" in note for note in told.values())


def test_odd_names_of_utf_8_are_names_like_any_other(settings, landing) -> None:
    names = ["or_case été 😀.csv", "or_case_\n1.csv", "or_case_'\";drop.csv", "or_case_\\xe9.csv", "or_case_%s.csv"]
    for number, name in enumerate(names):
        drop(landing, name, row(f"C{number}"))
    assert sorted(load(settings).files) == sorted(names)


def test_a_path_that_is_too_long_is_told_and_stops_nothing(settings, landing, warehouse) -> None:
    dice = random.Random(7)  # noqa: S311
    at = os.open(landing, os.O_RDONLY)
    for depth in range(25):  # to be named from here the last of them are too deep
        name = "".join(chr(dice.randint(97, 122)) for _ in range(200))
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
        if depth in {2, 12}:
            with os.fdopen(os.open("or_case_9.csv", os.O_WRONLY | os.O_CREAT, dir_fd=at), "w") as file:
                file.write(f"{HEADER}\n{row(f'C{depth}')}\n")
    os.close(at)
    drop(landing, "or_case_1.csv", row("A"))
    assert sorted(name[-13:] for name in load(settings).files) == ["or_case_1.csv", "or_case_9.csv"]
    told = notes(warehouse)
    assert len(told) == 2
    assert all("bytes, over the 1,000 that are kept. Shorten it." in note for note in told.values())
    assert [len(name) for name in told] == [203, 203]


def put_special_files(landing: Path, outside: Path) -> None:
    """A pipe, a socket, and links: out of the folder, to a file and a folder within, to nothing."""
    os.mkfifo(landing / "or_case_pipe.csv")
    os.mknod(landing / "or_case_socket.csv", stat.S_IFSOCK)
    outside.mkdir()
    (outside / "or_case_9.csv").write_text(f"{ELSEWHERE}\n{HEADER}\n{row('Z')}\n")
    (landing / "or_case_out.csv").symlink_to(outside / "or_case_9.csv")
    (landing / "or_case_folder").symlink_to(outside)
    (landing / "or_case_within.csv").symlink_to(landing / "or_case_1.csv")
    (landing / "or_case_nowhere.csv").symlink_to(landing / "gone.csv")


def test_what_is_no_regular_file_of_the_folder_is_told_and_never_opened(settings, landing, warehouse, tmp_path) -> None:
    put_special_files(landing, tmp_path / "outside")
    drop(landing, "or_case_1.csv", row("A"))
    assert load(settings).files == ["or_case_1.csv"]
    told = notes(warehouse)
    kinds = {name.removeprefix("or_case_"): note.split(";")[0].split(": ")[1] for name, note in told.items()}
    assert kinds == {
        "pipe.csv": "it is a named pipe",
        "socket.csv": "it is a socket",
        "out.csv": "it is a link",
        "folder": "it is a link",
        "within.csv": "it is a link",
        "nowhere.csv": "it is a link",
    }
    assert cases(warehouse) == [("A", 0, "1")]
    everything = warehouse.execute("select string_agg(notes, ' ') from etl.source_file").fetchone()
    assert ELSEWHERE not in str(everything)
    with connect(settings, autocommit=True) as connection:
        assert scan_landing_folder(settings, SOURCE, connection).failed == {}, "it is told once"


def test_a_file_that_becomes_a_link_before_it_is_loaded_is_not_followed(settings, landing, warehouse, tmp_path) -> None:
    (landing / "in").mkdir()
    for name in ("or_case_1.csv", "in/or_case_2.csv"):
        drop(landing, name, row("A" if "1" in name else "B"))
    scan_landing_folder(settings, SOURCE, warehouse)
    outside = tmp_path / "outside"
    (landing / "in").rename(outside)
    (landing / "in").symlink_to(outside)
    (landing / "or_case_1.csv").rename(outside / "or_case_1.csv")
    (landing / "or_case_1.csv").symlink_to(outside / "or_case_1.csv")
    with pytest.raises(FileRefused, match=r"in/or_case_2\.csv: a link leads to it"):
        landed_file(landing, "in/or_case_2.csv")
    report = load(settings)
    assert (report.files, sorted(report.refused)) == ([], ["in/or_case_2.csv", "or_case_1.csv"])
    assert cases(warehouse) == []


def test_the_landing_folder_itself_may_be_a_link(settings, landing, warehouse, tmp_path) -> None:
    landing.rename(tmp_path / "mounted")
    landing.symlink_to(tmp_path / "mounted")
    drop(landing, "or_case_1.csv", row("A"))
    assert load(settings).files == ["or_case_1.csv"]


def test_a_file_that_changes_while_it_is_looked_at_stops_no_other(settings, landing, warehouse, monkeypatch) -> None:
    first = drop(landing, "or_case_1.csv", *(row(f"C{n}") for n in range(5)))
    drop(landing, "or_case_2.csv", row("B"))
    whole = file_reader.FileReader.profile

    def profile_of_what_grows(reader):
        with first.open("a") as file:
            file.write(f"{row('D')}\n")
        return whole(reader)

    monkeypatch.setattr(file_reader.FileReader, "profile", profile_of_what_grows)
    scan = scan_landing_folder(settings, SOURCE, warehouse)
    assert (scan.unsettled, scan.registered) == (["or_case_1.csv"], ["or_case_2.csv"])


@pytest.mark.parametrize("moment", [-(10**9), 10**13])
def test_a_file_of_any_time_is_taken_in(settings, landing, moment) -> None:
    os.utime(drop(landing, "or_case_1.csv", row("A")), (moment, moment))
    assert load(settings).files == ["or_case_1.csv"]


def test_what_rows_lack_is_told_as_what_it_is(settings, landing, warehouse) -> None:
    drop(landing, "or_case_surplus.csv", *(f"{row(f'C{n}')}," for n in range(4)))
    drop(landing, "or_case_dates.csv", *(row(f"C{n}", "soon") for n in range(4)), "ragged")
    load(settings)
    told = notes(warehouse)
    assert told["or_case_surplus.csv"].endswith(
        "none of its 4 rows can be taken in: 4 are not as the header says (the first is line 2: it has 6 fields where"
        " the header has 5). Is there a delimiter too many in the rows, or a name too few in the header?"
    )
    assert "1 are not as the header says" in told["or_case_dates.csv"]
    assert "4 have no surgery_date from 2000-01-01" in told["or_case_dates.csv"]
    assert "Is the feed or_case right about its dates?" in told["or_case_dates.csv"]


def test_a_file_of_a_header_and_footers_has_no_rows(settings, landing, warehouse) -> None:
    drop(landing, "or_case_1.csv", "-------,------------,-------,-----,------", "", "(0 rows affected)")
    assert load(settings).files == []
    assert statuses(warehouse) == {"or_case_1.csv": "COMPLETED"}
    assert warehouse.execute("select notes from etl.source_file").fetchone() == ("it has a header and no rows",)
