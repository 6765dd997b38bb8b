"""Each layer of Lacrei Saude runs alone: by command, and over HTTP as the docs say; what is published follows."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
import requests

from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.settings import PROJECT
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets_tests.orchestration.installation import Installation

LAYERS = list(SOURCE.layers)
MARTS = [f"lacreisaude_mart.{mart.name}" for mart in SOURCE.publication.marts]
PAGE = (PROJECT / "docs" / "lacrei_saude.md").read_text()
SECONDS = 120


@dataclass(frozen=True)
class Network:
    """An installation, and the database of the network that it loads."""

    at: Installation
    url: str

    def run(self, *words: str, expected: int | None = None) -> str:
        return self.at.etl("run", SOURCE.name, *words, expected=expected)

    def change(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            assert connection.execute(statement).rowcount != 0

    def at_warehouse(self, statement: str) -> None:
        with connect(self.at.settings, role=None) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def released(self) -> int:
        return self.at.query("select count(*) from etl.release")[0][0]

    def written(self) -> dict[str, Any]:
        """Of each relation, what the newest build or load wrote."""
        return dict(
            self.at.query(
                "select distinct on (relation) relation, rows_changed from etl.model_build"
                " order by relation, build_id desc"
            )
        )


@pytest.fixture(scope="module")
def network(installation: Installation, empty_database: Callable[[], str]) -> Network:
    url = empty_database()
    fill(url, patients=60, seed=3)
    given = {
        "ETL_LACREI_SAUDE_URL": url,
        "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "planted-secret-planted-secret-planted",
    }
    return Network(replace(installation, environment={**installation.environment, **given}), url)


def test_a_layer_says_what_is_missing_below_it(network: Network) -> None:
    assert "has no layer gold. It has staging_01, staging_02, model, mart" in network.run("--layer", "gold", expected=1)
    for layer, below in (("staging_02", "staging_01"), ("model", "staging_02"), ("mart", "model")):
        words = network.run("--layer", layer, expected=1)
        assert f"the layer {layer} was not built" in words
        assert f"Run first: etl run lacrei_saude --layer {below}" in words


def test_layers_run_one_after_the_other_and_again_change_nothing(network: Network) -> None:
    schemas = ["lacreisaude_staging_01", "lacreisaude_staging_02", "lacreisaude_model", "lacreisaude_mart"]
    for layer, schema in zip(LAYERS, schemas, strict=True):
        words = network.run("--layer", layer)
        changed = re.findall(r"^(lacreisaude_\w+)\.\w+ +[\d,]+ +([\d,]+) ", words, re.MULTILINE)
        assert {name for name, rows in changed if rows != "0"} == {schema} | (
            {"lacreisaude_mart_exact"} if layer == "mart" else set()
        )
    assert all(network.at.query(f"select count(*) from {mart}")[0][0] for mart in MARTS)
    for layer in LAYERS:
        assert " 0 rows changed" in network.run("--layer", layer)
    assert network.released() == 1


def test_what_is_published_follows_where_some_marts_alone_have_changed(network: Network) -> None:
    network.change("update lacreiid_report set eval = 6 - eval where id = (select min(id) from lacreiid_report)")
    network.run()
    written = network.written()
    assert written["lacreisaude_mart_exact.mart_feedback"] > 0
    assert written["lacreisaude_mart_exact.patients"] > 0  # from when it was built first
    assert network.released() == 2 or not any(written[mart] for mart in MARTS)
    behind = network.at.query(
        "select relation from etl.model_state where relation = any(%s) and exists (select from jsonb_each_text(seen)"
        " where etl.newest_change(key) > value::bigint)",
        MARTS,
    )
    assert behind == []


def test_what_was_not_published_is_published_by_the_next_run(network: Network) -> None:
    network.at.query("delete from etl.model_state where relation like 'lacreisaude_mart.%%' returning 1")
    network.run()
    assert {name for (name,) in network.at.query("select relation from etl.model_state")} >= set(MARTS)


def test_what_is_built_again_and_comes_out_as_it_was_is_published_as_it_was(network: Network) -> None:
    released = network.released()
    assert " 0 rows changed" in network.run("--rebuild")
    exact = "lacreisaude_mart_exact.patients"
    network.at.query("delete from etl.model_state where relation = %s returning 1", exact)
    assert " 0 rows changed" in network.run()
    assert network.written()[exact] == 0
    assert network.released() == released


def test_a_layer_is_not_built_of_tables_that_could_not_be_loaded(network: Network) -> None:
    network.change("alter table lacreiid_report rename to away")
    assert "lacreiid_report" in network.run("--layer", "staging_01", expected=1)
    words = network.run("--layer", "staging_02", expected=1)
    assert "lacreisaude_staging_01.lacreiid_report could not be loaded" in words
    network.change("alter table away rename to lacreiid_report")
    network.run("--layer", "staging_01")
    network.run("--layer", "staging_02")


def loaded_since(network: Network, load: int) -> set[str]:
    return {name for (name,) in network.at.query("select relation from etl.table_load where load_id > %s", load)}


def newest_load(network: Network) -> int:
    return network.at.query("select max(load_id) from etl.table_load")[0][0]


def test_exactly_what_failed_is_retried(network: Network) -> None:
    failing = ("lacreiid_report", "lacreisaude_clinic")
    for table in failing:
        network.change(f"alter table {table} rename to {table}_away")
    network.run(expected=1)
    for table in failing:
        network.change(f"alter table {table}_away rename to {table}")
    network.change("update lacreiid_user set is_active = not is_active where id = (select min(id) from lacreiid_user)")
    before = newest_load(network)
    network.at.etl("retry", "lacrei_saude")
    assert loaded_since(network, before) == {f"lacreisaude_staging_01.{table}" for table in failing}
    assert "lacrei_saude: nothing has failed" in network.at.etl("retry", "lacrei_saude")
    network.run()


def test_a_model_that_failed_is_built_again_and_nothing_is_loaded(network: Network) -> None:
    mart = "lacreisaude_mart_exact.mart_feedback"
    network.at_warehouse(f"alter table {mart} add constraint never check (false) not valid")
    network.change("update lacreiid_report set eval = 6 - eval")
    network.run(expected=1)
    network.at_warehouse(f"alter table {mart} drop constraint never")
    before, seen = newest_load(network), network.at.query("select max(build_id) from etl.model_build")
    network.at.etl("retry")  # of all sources
    assert loaded_since(network, before) == set()
    built = network.at.query(
        "select relation from etl.model_build where build_id > %s and status = 'success'", seen[0][0]
    )
    assert (mart,) in built
    assert ("lacreisaude_mart.mart_feedback",) in built
    assert "lacrei_saude: nothing has failed" in network.at.etl("retry")


@pytest.fixture
def address(network: Network) -> Iterator[str]:
    """Where the UI and its HTTP interface are, while `etl dev` runs."""
    port = 20_000 + hash(network.url) % 20_000
    process = network.at.start("dev", "--port", str(port))
    address = f"http://127.0.0.1:{port}/graphql"
    try:
        _wait(lambda: _is_up(address))
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_layers_run_over_http_as_the_docs_say(network: Network, address: str) -> None:
    launch, status, counts = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    network.change("update lacreiid_appointment set status = 'completed' where status = 'confirmed'")
    for layer in LAYERS:
        launched = _ask(address, launch, {"job": f"lacrei_saude_{layer}"})["launchRun"]
        run = {"run": launched["run"]["runId"]}
        ended = _wait(lambda run=run: _ended(_ask(address, status, run)["runOrError"]["status"]))
        assert ended == "SUCCESS", layer
        told = _ask(address, counts, run)["runOrError"]["assetMaterializations"]
        rows = {
            ".".join(each["assetKey"]["path"]): {e["label"]: e.get("intValue") for e in each["metadataEntries"]}
            for each in told
        }
        if layer == "staging_01":
            assert rows["lacreisaude_staging_01.lacreiid_appointment"]["rows_updated"] > 0
            assert rows["lacreisaude_staging_01.lacreiid_user"]["rows_changed"] == 0
        else:
            assert rows
            assert all(each["rows_changed"] is not None for each in rows.values() if "rows_changed" in each)


def _ask(address: str, query: str, variables: dict[str, str]) -> dict[str, Any]:
    answer = requests.post(address, json={"query": query, "variables": variables}, timeout=30).json()
    assert "errors" not in answer, json.dumps(answer["errors"])[:500]
    return answer["data"]


def _is_up(address: str) -> bool:
    try:
        return requests.post(address, json={"query": "{ version }"}, timeout=5).ok
    except requests.RequestException:
        return False


def _ended(status: str) -> str | None:
    return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None


def _wait(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if value := found():
            return value
        time.sleep(0.5)
    raise AssertionError(f"nothing came in {SECONDS} s")
