"""Every command of docs/on_call.md is run, in the order of the page, on a night on which a file was refused."""

import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from etl_assets import cli
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets.sandbox.receivers import Receivers, receivers
from etl_assets.settings import PROJECT
from etl_assets_tests.orchestration.installation import Installation

PAGE = PROJECT / "docs" / "on_call.md"
BROKEN = "case_id,surgery_date,room_id,or_in\n" + "".join(f"a{n},2026-02-02,OR 1,not a time\n" for n in range(7))
FINDINGS = {"etl alerts", "etl status", "etl retry", "etl run"}
"""What may end with 2: there is something to look at."""


def commands() -> list[str]:
    """The lines of the page's blocks, but for those that say why they are not run here."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith("etl ") for line in lines), lines
    return [line for line in lines if "# not run here: " not in line]


@pytest.fixture(scope="module")
def night(installation: Installation) -> Iterator[tuple[Installation, Receivers]]:
    """An installation that has loaded three days, and then a file that cannot be read; its channels are real."""
    with receivers() as heard, pytest.MonkeyPatch.context() as patch:
        environment = {**installation.environment, **heard.settings}
        for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_DISABLE_TELEMETRY", "PATH"):
            patch.setenv(name, environment.get(name, ""))  # so that what a run exports goes with the fixture
        for name, value in environment.items():
            patch.setenv(name, value)
        write_files(installation.landing, start=date(2026, 1, 5), days=3, rooms=2)
        assert cli.main(["run", "operating_room"]) == 0
        (installation.landing / "or_case_2026-02-02.csv").write_text(BROKEN)
        assert cli.main(["run", "operating_room"]) == 2
        yield installation, heard


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_page_does_what_it_says(
    night: tuple[Installation, Receivers], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line.replace("/backups", str(tmp_path)))[1:]
    code = cli.main(words)
    captured = capsys.readouterr()
    assert code == 0 or (code == 2 and line.startswith(tuple(FINDINGS))), captured.out + captured.err
    assert captured.out.strip()


def test_what_the_page_says_of_the_first_look_is_so(
    night: tuple[Installation, Receivers], capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["alerts"], ["status"]):
        assert cli.main(words) == 2
        said = capsys.readouterr().out
        assert "stg.or_case" in said
        assert "FilesTakenIn" in said
        assert "etl issues list --source operating_room --rule FilesTakenIn" in said


def test_its_pictures_and_its_links_are_there() -> None:
    text = PAGE.read_text()
    pictures = re.findall(r'<img src="([^"]+)"', text)
    assert len(pictures) == 3
    for name in pictures:
        assert (PAGE.parent / name).stat().st_size < 200_000
    for target in re.findall(r"\]\((?!http)([^)#]*)[^)]*\)", text):
        assert not target or (PAGE.parent / target).exists(), target


def test_every_command_that_is_not_run_says_why() -> None:
    left_out = re.findall(r"^(etl .*?)\s+# not run here: (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    assert [command for command, _ in left_out] == ["etl rollback open_dental claim", "etl restore /backups/tonight"]
