"""The page says what is in the ledger, in numbers that were put there, without persons and without markup."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl_assets.report.build import build_report
from etl_assets.report.charts import limited_bars, stacked_bars
from etl_assets.report.content import report_scope
from etl_assets.settings import Settings, read_settings
from etl_assets.sources import SOURCES
from etl_assets.sources.operating_room import SOURCE as OPERATING_ROOM
from etl_assets.sources.tracktik import SOURCE as TRACKTIK
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Batch, open_batch
from etl_assets.warehouse.reports import last_reports
from etl_assets.warehouse.samples import Sample, record_samples
from etl_assets.warehouse.table_failures import record_load_outcomes
from etl_assets_tests.report import ledger

CASE, SCHEDULE, BLOCK = "stg.or_case", "stg.or_schedule", "stg.block_schedule"
CLIENTS = "tracktik_staging.clients"
SOURCES_HERE = (OPERATING_ROOM, TRACKTIK)


@pytest.fixture
def batch(settings: Settings) -> Iterator[Batch]:
    with open_batch(settings, OPERATING_ROOM.name, "load") as batch:
        yield batch


def page(settings: Settings, kind: str = "daily", sources=SOURCES_HERE) -> str:
    built = build_report(settings, sources, kind, scope=report_scope(sources, SOURCES), out=settings.home / "out.html")
    return built.path.read_text()


def verdict(text: str) -> str:
    found = re.search(r'id="verdict">(.*?)</p>', text)
    assert found
    return found[1]


def section(text: str, name: str) -> list[list[str]]:
    return ledger.tables_of(text)[name]


def row(text: str, name: str, first: str) -> list[str]:
    """The first row of a section that begins with these words."""
    return next(cells for cells in section(text, name) if cells[0] == first)


def test_nothing_was_ever_loaded(settings: Settings) -> None:
    text = page(settings, sources=SOURCES)
    assert verdict(text) == "Nothing was ever loaded."
    assert "<code>etl run all</code>" in text
    assert text.count("nothing to draw yet") == 5  # of findings and the server there is a first sample
    assert {cells[1] for cells in section(text, "health")[1:]} == {"never loaded"}
    assert "set ETL_WAREHOUSE_DISK_BYTES" in text


def test_loads_are_counted_of_the_day_and_by_the_week_of_the_week(settings: Settings) -> None:
    ledger.load(settings, "operating_room", CASE, rows=700, seconds=4, bytes=5120)
    ledger.load(settings, "operating_room", SCHEDULE, rows=200, seconds=2, bytes=1024)
    ledger.load(settings, "operating_room", CASE, rows=50, seconds=1, days_ago=3, bytes=512)
    ledger.load(settings, "tracktik", CLIENTS, rows=9)
    text = page(settings)
    assert row(text, "volumes", "operating_room") == ["operating_room", "2", "2", "900", "900", "0", "6.0 kB"]
    assert row(text, "performance", "operating_room") == ["operating_room", "2", "6.0 s", "900", "150"]
    slowest = [cells for cells in section(text, "performance") if cells[0] in {CASE, SCHEDULE, CLIENTS}]
    assert [cells[0] for cells in slowest] == [CASE, SCHEDULE, CLIENTS]
    assert slowest[0] == [CASE, "load", "4.0 s", "-", "700", "175"]
    assert row(page(settings, "weekly"), "volumes", "operating_room")[1:4] == ["2", "3", "950"]
    assert verdict(text) == "All 3 tables healthy; nothing lost."


def test_what_failed_is_late_or_degraded_stands_there_with_what_to_run(settings: Settings, batch: Batch) -> None:
    ledger.load(settings, "operating_room", CASE, rows=1)
    ledger.load(settings, "operating_room", SCHEDULE, rows=1, days_ago=3)
    ledger.load(settings, "operating_room", BLOCK, rows=1)
    record_load_outcomes(batch, failed={CASE: "row 48213 'Mary Poppins': the disk is full"}, loaded=[])
    ledger.find(settings, "operating_room", BLOCK, "Order", severity="error", findings=2)
    text = page(settings)
    assert verdict(text) == "1 table failed, 1 late, 1 degraded; nothing lost."
    todo = section(text, "health")[4:]
    assert [(cells[0], cells[1], cells[-1]) for cells in todo] == [
        (CASE, "failed", "etl run operating_room or_case"),
        (SCHEDULE, "late", "etl run operating_room or_schedule"),
        (BLOCK, "degraded", "etl issues list --source operating_room --rule Order"),
    ]
    assert todo[0][3] == "row … …: the disk is full"


def test_tables_that_one_command_cures_are_one_line(settings: Settings, batch: Batch) -> None:
    tables = [f"stg.t{number}" for number in range(9)]
    record_load_outcomes(batch, failed={name: f"{name}: no route to host" for name in tables}, loaded=[])
    record_load_outcomes(batch, failed={CASE: f"{CASE}: the disk is full"}, loaded=[])
    for relation in (f"operating_room.model{number}" for number in range(9)):
        batch.connection.execute(
            "insert into etl.model_state (relation, code_version, seen, batch_id) values (%s, 'x', %s::jsonb, %s)",
            [relation, '{"stg.x": 0}', batch.id],
        )
    ledger.load(settings, "operating_room", "stg.x", rows=1, days_ago=3)
    todo = section(page(settings), "health")[4:]
    models = ", ".join(f"operating_room.model{number}" for number in range(6))
    assert [(cells[0], cells[3], cells[4]) for cells in todo] == [
        (CASE, "the disk is full", "etl run operating_room or_case"),
        (", ".join(tables[:6]) + " and 3 more", "no route to host", "etl retry operating_room"),
        (f"{models} and 3 more", "what it is built of changed 36 hours ago and more", "etl run operating_room"),
    ]


def test_checks_and_findings_are_counted_by_severity_with_their_trend(settings: Settings) -> None:
    ledger.load(settings, "operating_room", CASE, rows=1)
    ledger.check(settings, "operating_room", CASE, "Known")
    ledger.check(settings, "operating_room", CASE, "Known", days_ago=1, passed=False)
    ledger.check(settings, "operating_room", CASE, "matches_source", passed=False)
    ledger.find(settings, "operating_room", CASE, "Order", severity="error", findings=3)
    ledger.find(settings, "operating_room", CASE, "Odd", severity="warning", findings=1200)
    today = datetime.now(UTC).date()
    with connect(settings) as connection:
        for ago, found in ((40, 1), (9, 1210), (7, 1205), (1, 7)):
            labels = {"source": "operating_room", "severity": "warning"}
            sample = Sample(measure="open_findings", labels=labels, value=found)
            record_samples(connection, today - timedelta(days=ago), [sample])
    text = page(settings)
    standing, today_s, yesterday_s = (
        cells for cells in section(text, "checks") if len(cells) == 4 and cells[1] != "passed"
    )
    assert standing == ["operating_room", "1", "1", "2"]
    assert today_s == [f"{today}", "1", "1", "2"]
    assert yesterday_s == [f"{today - timedelta(days=1)}", "0", "0", "1"]
    assert row(text, "issues", "error")[1:] == ["3", "-", "-"] or row(text, "issues", "error")[1:] == ["3", "0", "+3"]
    assert row(text, "issues", "warning") == ["warning", "1,200", "1,205", "-5"]
    rules = [cells for cells in section(text, "issues") if cells[0] == CASE]
    assert [(cells[1].split()[0], cells[2], cells[3]) for cells in rules] == [
        ("Order", "error", "3"), ("Odd", "warning", "1,200"),
    ]  # fmt: skip
    assert "etl issues list --source operating_room --rule Order" in rules[0][1]


def test_work_that_failed_is_counted_and_whether_another_run_made_it_good(settings: Settings) -> None:
    ledger.fail(settings, "operating_room", "the network is down", days_ago=0.5)
    ledger.load(settings, "operating_room", CASE, rows=1)
    ledger.load(settings, "tracktik", CLIENTS, rows=1, days_ago=0.4)  # before it, which mends nothing
    ledger.fail(settings, "tracktik", "the password of 'x' is wrong", days_ago=0.2)
    ledger.fail(settings, "tracktik", "long ago", days_ago=2)
    text = page(settings)
    errors = {cells[0]: cells for cells in section(text, "errors")}
    assert errors["operating_room"][1:5] == ["load", "1", "0", "1"]
    assert errors["operating_room"][-1] == "the network is down"
    assert errors["tracktik"][1:5] == ["load", "1", "0", "0"]
    assert errors["tracktik"][-1] == "the password of … is wrong"
    assert "Mary" not in text


def test_what_may_be_lost_is_in_the_verdict(settings: Settings) -> None:
    ledger.load(settings, "operating_room", CASE, rows=1)
    with connect(settings, role=None) as connection:
        connection.execute(
            "insert into etl.write_by_hand (relation, operation, n, row_keys, settled_at) values"
            " (%s, 'delete', 12, '{48213}', null), (%s, 'insert', 40, '{1}', null), (%s, 'delete', 90, '{2}', now())",
            [CASE, CASE, CASE],
        )
        connection.execute(
            "insert into etl.source_file (source, file_name, size_bytes, modified_at, status)"
            " values ('operating_room', 'f.csv', 1, now(), 'failed')"
        )
    assert verdict(page(settings)) == "All 1 table healthy; 12 rows deleted by hand, 1 file refused."


def test_the_day_when_the_disk_is_full_is_that_of_the_samples(settings: Settings) -> None:
    ledger.load(settings, "operating_room", CASE, rows=1)
    first = page(settings)
    with connect(settings) as connection:
        (size,) = connection.execute(
            "select value from etl.daily_sample where measure = 'server_bytes' and day = current_date"
        ).fetchone()
        today = datetime.now(UTC).date()
        for ago in range(1, 20):
            record_samples(
                connection, today - timedelta(days=ago), [Sample(measure="server_bytes", value=size - ago * 1e6)]
            )
    assert "too few samples" in first
    environment = {
        "ETL_HOME": str(settings.home),
        "ETL_WAREHOUSE_URL": settings.warehouse_url or "",
        "ETL_WAREHOUSE_DISK_BYTES": f"{size + 200e6:.0f}",
    }
    text = page(read_settings(environment))
    growth = re.fullmatch(r"\+([\d,.]+) kB", row(text, "capacity", "growth a day")[1])
    assert growth
    assert 950 < float(growth[1].replace(",", "")) < 1010  # 976.6, and what other tests write to the same server
    found = re.search(r"The disk is full on (\d{4}-\d\d-\d\d), in (\d+) days", text)
    assert found
    assert int(found[2]) in range(193, 206)
    assert datetime.fromisoformat(found[1]).date() == today + timedelta(days=int(found[2]))


def test_names_that_are_markup_are_shown_as_they_are(settings: Settings, batch: Batch) -> None:
    hostile = "stg.<script>alert(1)</script>"
    record_load_outcomes(batch, failed={hostile: "<img src=x onerror=alert(2)>"}, loaded=[])
    ledger.find(settings, "operating_room", CASE, "<b>bold</b>", severity="error", findings=1)
    ledger.fail(settings, "operating_room", "</td><script>alert(3)</script>")
    with connect(settings, role=None) as connection:
        connection.execute('create schema "<svg onload=alert(4)>"')
        connection.execute('create table "<svg onload=alert(4)>".t as select 1 as n')
        connection.execute("insert into etl.table_switch values (%s, 'new', now(), '<i>me</i>')", [CASE])
    text = page(settings)
    assert not re.search(r"<(script|img|b|i|iframe|link|object)[ >]", text)
    assert not re.search(r"<[^>]* on\w+=", text)
    cells = {cell for rows in ledger.tables_of(text).values() for cells in rows for cell in cells}
    assert {hostile, "<svg onload=alert(4)>", "<i>me</i>"} <= cells
    assert any(cell.startswith("<b>bold</b>") for cell in cells)


def test_a_chart_escapes_what_it_is_labelled_with() -> None:
    name = "<script>$\\frac{1}$</script>&"
    for chart in (
        limited_bars("one", name, {name: (1.0, 2.0)}, unit=name),
        stacked_bars("two", name, [name], {name: [1.0]}, unit=name),
    ):
        assert "<script" not in chart
        assert chart.count("&lt;script&gt;$\\frac{1}$&lt;/script&gt;&amp;") >= 3


def test_the_page_needs_nothing_else(settings: Settings) -> None:
    ledger.load(settings, "operating_room", CASE, rows=1)
    text = page(settings)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text
    assert not re.search(r"https?:|//|@import|url\((?!#)", text)
    assert not re.search(r"\b(src|action|data)=", text)
    assert {target[0] for target in re.findall(r'href="([^"]*)"', text)} == {"#"}
    anchors = set(re.findall(r'href="#([a-z-]+)"', text))
    assert anchors <= set(re.findall(r'id="([^"]+)"', text))
    assert text.count("<svg") == text.count('role="img"') == text.count("<title id=") == 8


def test_it_counts_no_row_of_a_table(settings: Settings) -> None:
    """The tables could not even be read."""
    ledger.load(settings, "operating_room", CASE, rows=1)
    with connect(settings, role=None) as connection:
        for relation in (CASE, SCHEDULE, BLOCK):
            connection.execute(f"alter table {relation} owner to current_user")
            connection.execute(f"revoke all on {relation} from etl_loader")
    assert verdict(page(settings)) == "All 1 table healthy; nothing lost."


def test_a_report_is_recorded_and_one_that_goes_elsewhere_is_not(settings: Settings, tmp_path: Path) -> None:
    build_report(settings, SOURCES_HERE, "daily", scope="some", out=tmp_path / "mine.html")
    with connect(settings) as connection:
        assert last_reports(connection) == []
        built = [build_report(settings, SOURCES_HERE, kind, scope="some") for kind in ("daily", "weekly", "daily")]
        daily, weekly = last_reports(connection)
    assert (daily.kind, weekly.kind, daily.scope) == ("daily", "weekly", "some")
    assert daily.path == str(built[2].path)
    assert daily.bytes == built[2].path.stat().st_size == built[2].bytes
    assert datetime.now(UTC) - daily.built_at < timedelta(minutes=1)
    assert built[0].path.parent == settings.report_dir


def test_of_which_sources_it_is_is_in_its_name() -> None:
    assert report_scope(SOURCES, SOURCES) == "all"
    assert report_scope(tuple(reversed(SOURCES)), SOURCES) == "all"
    assert report_scope(SOURCES[:2], SOURCES) == "operating_room__tracktik"
    assert report_scope(SOURCES[:5], SOURCES) == "operating_room__and_4_more"
