"""Report files: whole or not at all, for their group to read, and a bounded number of them."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.report.files import KEPT_REPORTS, write_atomically, write_report_file

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_the_folder_keeps_the_newest_of_each_name(tmp_path: Path) -> None:
    other = write_report_file(tmp_path / "office", "weekly_all", ".html", "kept", NOW - timedelta(days=900))
    mine = tmp_path / "office" / "daily_all_of_the_year.html"
    mine.write_text("somebody's")
    for number in range(KEPT_REPORTS + 3):
        path = write_report_file(
            tmp_path / "office", "daily_all", ".html", f"{number}", NOW + timedelta(hours=4 * number)
        )
    kept = sorted(set((tmp_path / "office").iterdir()) - {other, mine})
    assert len(kept) == KEPT_REPORTS
    assert kept[-1] == path
    assert kept[0].read_text() == "3"
    assert other.exists()
    assert mine.exists()


def test_a_file_is_read_by_its_group_and_nobody_else(tmp_path: Path) -> None:
    path = write_report_file(tmp_path, "daily_all", ".html", "text", NOW)
    assert path.name == "daily_all_2026-03-01T0800.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \udc00")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_where_it_cannot_be_written_it_says_which_setting_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(EtlError, match=r"cannot be written: .*ETL_REPORT_DIR names the report folder"):
        write_report_file(tmp_path / "reports" / "office", "daily_all", ".html", "text", NOW)
