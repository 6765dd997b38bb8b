"""Two code servers, each with sources of its own, behind one webserver: real processes, as deploy/ starts them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import yaml

from etl_assets.orchestration.launch import dagster_environment
from etl_assets.settings import PROJECT, read_settings
from etl_assets_tests.orchestration.celery_cluster import end, free_port, wait_until

HELD = {"clinics": "operating_room", "services": "gohighlevel"}
QUESTION = "{assetNodes {assetKey {path} repository {location {name}}}}"
BIN = Path(sys.executable).parent


@contextmanager
def process(environment: dict[str, str], log: Path, *command: str) -> Iterator[None]:
    with log.open("ab") as out:
        started = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield
    finally:
        end(started)


def answers(url: str) -> bool:
    with suppress(URLError), urlopen(url, timeout=10):  # noqa: S310 (our own address)
        return True
    return False


@pytest.fixture(scope="module")
def webserver(tmp_path_factory, new_database: Callable[[], str]) -> Iterator[str]:
    """The webserver of deploy/workspace.split.yaml, with both code servers on this machine."""
    home = tmp_path_factory.mktemp("split")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "DAGSTER_"))}
    settings = {"ETL_HOME": str(home), "ETL_WAREHOUSE_URL": new_database(), "ETL_DAGSTER_URL": new_database()}
    environment = {**own, **settings, "PYTHONWARNINGS": "ignore"}
    environment |= dagster_environment(read_settings(environment))
    workspace = yaml.safe_load((PROJECT / "deploy" / "workspace.split.yaml").read_text())
    log, port = home / "log", free_port()
    with ExitStack() as stack:
        for location in workspace["load_from"]:
            server = location["grpc_server"]
            server |= {"host": "127.0.0.1", "port": free_port()}
            held = {**environment, "ETL_SOURCES": HELD[server["location_name"]]}
            words = ("--host", "127.0.0.1", "--port", str(server["port"]), "--module-name", "etl_assets.definitions")
            stack.enter_context(process(held, log, str(BIN / "dagster"), "code-server", "start", *words))
        for location in workspace["load_from"]:
            health = [str(BIN / "dagster"), "api", "grpc-health-check", "--port", str(location["grpc_server"]["port"])]
            give_up = time.monotonic() + 120
            while subprocess.run(health, env=environment, capture_output=True, check=False).returncode:
                assert time.monotonic() < give_up, log.read_text()
        path = home / "workspace.yaml"
        path.write_text(yaml.safe_dump(workspace))
        words = ("--host", "127.0.0.1", "--port", str(port), "--workspace", str(path))
        stack.enter_context(process(environment, log, str(BIN / "dagster-webserver"), *words))
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/server_info"), log.read_text)
        yield f"http://127.0.0.1:{port}/graphql"


def test_each_location_holds_its_own_sources_and_one_webserver_shows_both(webserver: str) -> None:
    question = json.dumps({"query": QUESTION}).encode()
    request = Request(webserver, question, {"Content-Type": "application/json"})  # noqa: S310 (our own address)
    with urlopen(request, timeout=60) as answer:  # noqa: S310
        nodes = json.load(answer)["data"]["assetNodes"]
    held: dict[str, set[tuple[str, ...]]] = {}
    for node in nodes:
        held.setdefault(node["repository"]["location"]["name"], set()).add(tuple(node["assetKey"]["path"]))
    assert set(held) == set(HELD)
    assert {"stg", "operating_room"} <= {key[0] for key in held["clinics"]}
    assert "trialsync_staging" in {key[0] for key in held["services"]}
    assert not held["clinics"] & held["services"]
