"""The page in a real browser: it is drawn, it asks for nothing else, and runs nothing."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from etl_assets.report import charts
from etl_assets.report.build import build_report
from etl_assets.settings import Settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets_tests.report import ledger

CASE = "stg.or_case"
HOSTILE = "<script>document.title = 'taken over'</script>"


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no chromium is installed: that the report is drawn in a browser was NOT checked")
    return found


@pytest.fixture
def page(settings: Settings) -> Path:
    ledger.load(settings, SOURCE.name, CASE, rows=700)
    ledger.load(settings, SOURCE.name, CASE, rows=300, days_ago=4)
    ledger.check(settings, SOURCE.name, CASE, HOSTILE, passed=False)
    ledger.find(settings, SOURCE.name, CASE, HOSTILE, severity="warning", findings=3)
    return build_report(settings, [SOURCE], "daily", scope=SOURCE.name).path


@contextmanager
def served(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The page over HTTP: its address, and every path that is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.read_bytes())

        def log_message(self, *words: object) -> None:
            del words

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/report", asked
        server.shutdown()


def run(chromium: str, home: Path, *words: str) -> str:
    done = subprocess.run(
        [
            chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={home / 'browser'}", "--window-size=1280,4200", "--virtual-time-budget=3000", *words,
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_its_charts_are_drawn(chromium: str, page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    run(chromium, tmp_path, f"--screenshot={picture}", page.as_uri())
    with Image.open(picture) as image:
        shades = image.convert("RGB").getcolors(image.width * image.height)
    pixels = Counter({colour: number for number, colour in shades})
    drawn = {
        name: pixels[tuple(round(255 * part) for part in to_rgb(getattr(charts, name)))]
        for name in ("RED", "AMBER", "BLUE")
    }
    assert min(drawn.values()) > 200, drawn
    assert pixels[(255, 255, 255)] > sum(pixels.values()) / 2


def test_it_asks_for_nothing_and_runs_nothing(chromium: str, page: Path, tmp_path: Path) -> None:
    with served(page) as (address, asked):
        seen = run(chromium, tmp_path, "--dump-dom", address)
    assert set(asked) <= {"/report", "/favicon.ico"}
    assert "<title>Daily report of the warehouse" in seen
    assert "<script" not in seen
    assert "&lt;script&gt;document.title" in seen
    assert seen.count('class="chart"') == 8
