"""One table cannot be loaded: what does not depend on it is built all the same, and what does is named as stale."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import dagster as dg
import pytest

from etl_assets.orchestration.staleness import dependents, name_stale
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import Service, serve
from etl_assets_tests.orchestration.installation import Installation

RUN = ("run", "tracktik", "--period", "2026_05")


@dataclass(frozen=True)
class Tracktik:
    at: Installation
    service: Service


@pytest.fixture(scope="module")
def tracktik(installation: Installation) -> Iterator[Tracktik]:
    with serve(Company()) as service:
        reached = {**service.credentials, "ETL_TRACKTIK_CALLS_PER_MINUTE": "100000"}
        yield Tracktik(replace(installation, environment={**installation.environment, **reached}), service)


def rows(tracktik: Tracktik, relation: str) -> int | None:
    """How many there are; None where the relation was never built."""
    if tracktik.at.query("select to_regclass(%s)", relation) == [(None,)]:
        return None
    return tracktik.at.query(f"select count(*) from {relation}")[0][0]


def test_what_does_not_depend_on_a_failed_table_is_built_and_what_does_is_named(tracktik) -> None:
    tracktik.service.faults.plan("status", path="work-sessions", share=1.0, status=403)
    said = tracktik.at.etl(*RUN, expected=1)
    assert "tracktik_staging.work_sessions: " in said
    stale = said.partition("Stale until then, and not built: ")[2].partition(".\n")[0]
    assert "tracktik.fact_shifts" in stale
    assert "tracktik.mart_hours" in stale
    assert "dim_employees" not in stale
    assert "tracktik_staging.work_sessions could not be loaded since" in said
    for dimension in ("employees", "clients", "positions", "regions"):
        assert rows(tracktik, f"tracktik.dim_{dimension}") > 1, dimension
    assert rows(tracktik, "tracktik.fact_shifts") is None
    status = tracktik.at.etl("status", "tracktik")
    assert re.search(r"^failed +since .* UTC  tracktik_staging\.work_sessions: .*403", status, re.MULTILINE)
    assert "         etl run tracktik work_sessions\n" in status
    checked = tracktik.at.query("select count(*) from etl.quality_result where relation like 'tracktik_staging.%'")
    assert checked[0][0] > 10, "the rules of staging were not looked at"


def test_it_is_built_when_the_table_can_be_loaded_again(tracktik) -> None:
    tracktik.service.faults.clear()
    said = tracktik.at.etl(*RUN)
    assert "could not be loaded" not in said
    assert rows(tracktik, "tracktik.fact_shifts") > 100
    assert tracktik.at.query("select count(*) from etl.table_failure") == [(0,)]


@pytest.mark.parametrize(
    ("failed", "stale"),
    [
        ("a", "cef"),
        ("b", "def"),
        ("ab", "cdef"),
        ("", ""),
        ("x", ""),
    ],
)
def test_dependents_are_found_at_any_distance(failed, stale) -> None:
    above = {"c": "a", "d": "b", "e": "cd", "f": "e", "g": "h"}
    parents = {dg.AssetKey([key]): {dg.AssetKey([name]) for name in names} for key, names in above.items()}
    assert dependents(parents, {dg.AssetKey([key]) for key in failed}) == {dg.AssetKey([key]) for key in stale}


def test_of_many_stale_models_the_first_are_named() -> None:
    names = name_stale({dg.AssetKey(["s", f"m{number:02}"]) for number in range(25)})
    assert names.startswith("s.m00, s.m01, ")
    assert names.endswith("s.m19 and 5 more")
