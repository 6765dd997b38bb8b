"""The rehearsal: it goes through in its short form, and fails where a row is lost, doubled or changed."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etl_assets import cli
from etl_assets.drills.installation import Installation, scratch_installation
from etl_assets.drills.rehearsal import night as nights
from etl_assets.drills.rehearsal import rehearsal
from etl_assets.drills.rehearsal.hospital import Hospital
from etl_assets.drills.rehearsal.night import Night
from etl_assets.sandbox.receivers import Receivers

SKIPS_A_ROW = """
import sys
from psycopg import sql
from etl_assets import cli
from etl_assets.warehouse.files import replace

merge = replace.merge

def faulty(*given, is_new, **named):
    return merge(*given, is_new=sql.SQL("{} and incoming.ordinal <> 3").format(is_new), **named)

replace.merge = faulty
sys.exit(cli.main())
"""
"""An `etl` whose loader takes every new row of a file but the one on the third line."""
SEED = 4


def test_the_short_form_loses_nothing_and_doubles_nothing() -> None:
    lines: list[str] = []
    assert rehearsal.rehearse(lines.append, short=True, seed=SEED), "\n".join(lines)
    faults = [line for line in lines if line.startswith(("operating_room:", "tracktik:"))]
    assert len(faults) == 4
    assert [re.findall(r"(\d+) +(\d+)$", line) for line in faults] == [[("0", "0")]] * 4
    assert "NOT" not in "\n".join(lines)
    assert re.match(r"4 faults in \d+ s: 0 rows lost, 0 rows doubled\.", lines[-1])


@pytest.fixture(scope="module")
def at() -> Iterator[Installation]:
    with scratch_installation({}) as made:
        yield made


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def night(at: Installation, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> Night:
    """One that gives up at once: what is broken here, no run heals."""
    monkeypatch.setattr(nights, "MAX_RUNS", 0)
    return Night(at, Receivers({}), lines.append, builds=False)


@pytest.fixture(scope="module")
def loaded(at: Installation) -> Hospital:
    """Loaded as it should be, and kept in a table beside."""
    made, night = Hospital(at.landing, SEED), Night(at, Receivers({}), print, builds=False)
    night.load(made)
    assert night.compare(made).where == ()
    at.administer("create table kept as table stg.or_case")
    return made


@pytest.fixture
def hospital(at: Installation, loaded: Hospital) -> Iterator[Hospital]:
    yield loaded
    at.administer("truncate stg.or_case")
    at.administer("insert into stg.or_case table kept")


@pytest.mark.parametrize(
    ("statement", "lost", "doubled"),
    [
        pytest.param("delete from stg.or_case where case_id = (select min(case_id) from kept)", 1, 0, id="gone"),
        pytest.param("update stg.or_case set room_id = 'OR-99' where room_id = 'OR-01'", ..., 0, id="changed"),
        pytest.param(
            'insert into stg.or_case select (jsonb_populate_record(kept, \'{"case_id": "C0"}\')).* from kept limit 1',
            0,
            1,
            id="one that nobody sent",
        ),
    ],
)
def test_what_is_done_behind_the_loaders_back_is_found(  # noqa: PLR0917 (what pytest gives)
    night: Night, hospital: Hospital, lines: list[str], statement: str, lost: int, doubled: int
) -> None:
    night.at.administer(statement)
    with night.fault("a hand in the table", hospital) as trouble:
        trouble.healed = "as it may seem"
    assert not night.is_good
    assert trouble.difference.where == ("stg.or_case",)
    changed = night.at.administer("select count(*) from kept where room_id = 'OR-01'")[0][0]
    assert trouble.difference.lost == (changed if lost is ... else lost) != doubled
    assert trouble.difference.doubled == doubled
    assert "NOT in 0 runs" in lines[-1]


def test_a_fault_that_nobody_is_told_of_fails_the_rehearsal(night: Night, hospital: Hospital, lines: list[str]) -> None:
    with night.fault("nothing at all", hospital) as trouble:
        trouble.expect(False, "an alert that does not come")
        trouble.healed = "before"
    assert not night.is_good
    assert "NOT TOLD: an alert that does not come" in lines[-1]


@pytest.mark.parametrize(("is_good", "code"), [(True, 0), (False, 1)])
def test_the_command_ends_with_1_where_it_failed(monkeypatch: pytest.MonkeyPatch, is_good: bool, code: int) -> None:
    asked = []

    def rehearse(say: object, *, short: bool, seed: int) -> bool:
        asked.append((short, seed))
        return is_good

    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
    assert cli.main(["rehearse", "--short", "--seed", "7"]) == code
    assert asked == [(True, 7)]


def test_a_loader_that_skips_a_row_fails_the_rehearsal(
    night: Night,
    hospital: Hospital,
    *,
    lines: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nights, "MAX_RUNS", 1)
    faulty = tmp_path / "faulty_etl.py"
    faulty.write_text(SKIPS_A_ROW)
    night.at = replace(night.at, program=(sys.executable, str(faulty)))
    with night.fault("a loader that skips a row", hospital):
        hospital.change()
    assert not night.is_good
    assert night.troubles[0].difference.lost > 0
    assert night.troubles[0].difference.doubled == 0
    assert "NOT in 1 runs" in lines[-1]
