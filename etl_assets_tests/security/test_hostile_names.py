"""Names and contents that somebody thought about: nothing of them is executed, and nothing is shown unescaped."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook
from psycopg.sql import SQL, Identifier

from etl_assets import cli
from etl_assets.report.incident import as_cell
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets_tests.orchestration.installation import Installation

HOSTILE = (
    "'; drop table stg.or_case; --",
    '"; drop schema etl cascade; --',
    "$(touch CANARY)",
    "`touch CANARY`",
    "{{ 7 * 7 }}",
    "%s%n%(x)s",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "=cmd|'calc'!A1",
    "a\nb",
    "a\rb",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "\u202egpj.exe",
    "--by=nobody",
    "|",
    "\N{PILE OF POO}" * 20,
)
UNSAFE = set(map(chr, (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x202A, 0x202B, 0x202D, 0x202E))) - {"\n", "\t"}


@pytest.fixture(scope="module")
def visited(installation: Installation) -> Iterator[Installation]:
    """An installation whose senders drop files with such names, columns and contents, and that has run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_DISABLE_TELEMETRY", "PATH"):
            patch.setenv(name, installation.environment.get(name, ""))  # so that what a run exports goes with it
        for name, value in installation.environment.items():
            patch.setenv(name, value)
        patch.chdir(installation.settings.home)  # where a canary would be
        write_files(installation.landing, start=date(2026, 1, 5), days=2, rooms=2)
        assert cli.main(["run", "operating_room"]) == 0
        for number, name in enumerate(HOSTILE):
            safe = name.replace("/", "_")[:100]
            header = ",".join(["case_id", "surgery_date", "room_id", "or_in", '"' + name.replace('"', '""') + '"'])
            cell = '"' + name.replace('"', '""') + '"'
            good = f"h{number},2026-02-{number % 20 + 1:02},{cell},2026-02-{number % 20 + 1:02} 08:00,{cell}\n"
            (installation.landing / f"or_case_2026-02-{number % 20 + 1:02}_{safe}.csv").write_text(f"{header}\n{good}")
            (installation.landing / f"or_case_bad_{number}_{safe}.csv").write_text(
                f"{header}\n" + f"b,{cell},{cell},{cell},{cell}\n" * 7
            )
            (installation.landing / f"{safe}{number}.unknown").write_text(name)
        write_workbook(installation.landing / "or_case_2026-03-01_sheets.xlsx")
        yield installation


def write_workbook(path: Path) -> None:
    """A workbook without a header that is known, whose sheets have such names, as far as XML can hold them."""
    book = Workbook()
    for name in HOSTILE:
        if name.isprintable():
            book.create_sheet(re.sub(r"[\[\]:*?/\\]", "_", name)[:31]).append([name, name])
    book.save(path)


@pytest.fixture(scope="module")
def network(visited: Installation, empty_database: Callable[[], str]) -> Iterator[str]:
    """Beside it a database with tables and columns of such names."""
    url = empty_database()
    fill(url, patients=20, seed=1)
    with psycopg.connect(url, autocommit=True) as connection:
        for number, name in enumerate(HOSTILE):
            table, column = Identifier(f"{name[:10]}{number}"), Identifier(f"{name[:14]}{number}")
            connection.execute(SQL("create table {} ({} text)").format(table, column))
            connection.execute(SQL("alter table lacreiid_user add column {} text default 'x'").format(column))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETL_LACREI_SAUDE_URL", url)
        patch.setenv("ETL_LACREI_SAUDE_PSEUDONYM_KEY", "of nobody who exists, of nobody who exists")
        yield url


@pytest.mark.parametrize(
    "words",
    [
        ("run", "operating_room"),
        ("status",),
        ("issues", "list"),
        ("issues", "list", "--rule", "FilesTakenIn"),
        ("alerts",),
        ("prove", "operating_room"),
        ("inventory", "operating_room"),
        ("metrics",),
        ("retry", "operating_room"),
    ],
)
def test_no_name_reaches_the_terminal_with_what_a_terminal_obeys(
    visited: Installation, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(words)
    captured = capsys.readouterr()
    assert UNSAFE & set(captured.out + captured.err) == set()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "lacrei_saude", "--only-load"), 0),
        (("discover", "lacrei_saude", "--check"), 1),
        (("issues", "list"), 0),
    ],
)
def test_nor_does_one_of_a_source_s_tables_and_columns(
    network: str, words: tuple[str, ...], expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == expected
    captured = capsys.readouterr()
    assert UNSAFE & set(captured.out + captured.err) == set()
    with psycopg.connect(network) as connection:
        assert connection.execute("select count(*) from lacreiid_user").fetchone() != (0,)
    assert ("<script>" in captured.out + captured.err) == (words[0] == "discover")


def test_they_were_there_and_nothing_of_them_was_executed(visited: Installation) -> None:
    assert visited.query("select count(*) > 10 from etl.source_file where file_name ~ 'touch|script|drop|owned'") == [
        (True,)
    ]
    assert visited.query("select count(*) > 10 from stg.or_case where case_id ~ '^h'") == [(True,)]
    with psycopg.connect(visited.environment["ETL_WAREHOUSE_URL"]) as connection:
        assert connection.execute("select to_regnamespace('etl') is not null").fetchone() == (True,)
    assert list(Path(visited.settings.home).rglob("CANARY")) == []


def test_the_report_shows_them_as_text(visited: Installation, tmp_path: Path) -> None:
    cli.main(["report", "--out", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "<img src=x" not in page
    assert UNSAFE & set(page) == set()


@given(st.text() | st.sampled_from(HOSTILE))
def test_a_cell_of_the_incident_report_is_one_line_of_text(text: str) -> None:
    cell = as_cell(text)
    assert cell.isprintable()
    assert "<" not in cell
    assert "`" not in cell
    assert "|" not in cell
