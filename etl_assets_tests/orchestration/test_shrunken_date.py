"""The commands, where a file brings a row of another date by mistake: nothing is lost, and it is said what to run."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest

from etl_assets_tests.orchestration.installation import Installation

WEDNESDAY, FRIDAY = date(2017, 5, 3), date(2017, 5, 5)
HEADER = "case_id,surgery_date,room_id,location_id,patient_id,primary_surgeon_prov_id,or_in,or_out"
MOST = 5


def rows(day: date, *names: str, patient: str = "p") -> list[str]:
    """Cases in rooms of their own."""
    return [f"{name},{day},room {name},l,{patient},s,{day} 08:00,{day} 11:00" for name in names]


def drop(at: Installation, name: str, lines: Iterable[str]) -> None:
    (at.landing / name).write_text("\n".join([HEADER, *lines]) + "\n")


def per_day(at: Installation) -> dict[date, int]:
    return dict(at.query("select surgery_date, count(*) from stg.or_case group by 1"))


def deleted(said: str) -> int:
    """The rows that were deleted, as the summary of a run has it."""
    heads = next(line.split() for line in said.splitlines() if line.startswith("relation "))
    line = next(line.split() for line in said.splitlines() if line.startswith("stg.or_case "))
    return int(line[heads.index("deleted")])


@pytest.fixture(scope="module")
def at(installation: Installation) -> Installation:
    """An installation that keeps few findings, and has a good file of Wednesday."""
    at = replace(installation, environment={**installation.environment, "ETL_MAX_FINDINGS": str(MOST)})
    at.etl("migrate")
    at.landing.mkdir(parents=True, exist_ok=True)
    drop(at, "or_case_0503.csv", rows(WEDNESDAY, *(f"W{number}" for number in range(40))))
    at.etl("run", "operating_room", expected=0)
    return at


def test_a_mistyped_date_deletes_nothing_and_what_the_finding_says_replaces_it(at: Installation) -> None:
    drop(at, "or_case_0505.csv", rows(FRIDAY, *(f"F{number}" for number in range(39))) + rows(WEDNESDAY, "slip"))
    said = at.etl("run", "operating_room", expected=2)
    assert (per_day(at), deleted(said)) == ({WEDNESDAY: 40, FRIDAY: 39}, 0)
    told = at.etl("issues", "list", "--rule", "FilesTakenIn")
    command = re.search(r"etl (run operating_room .*--accept-shrink)", told)
    assert command, told
    said = at.etl(*command[1].split(), expected=0)
    assert (per_day(at), deleted(said)) == ({WEDNESDAY: 1, FRIDAY: 39}, 40)


def test_of_many_findings_as_many_are_kept_as_the_setting_says(at: Installation) -> None:
    drop(at, "or_case_0506.csv", rows(date(2017, 5, 6), *(f"S{number}" for number in range(9)), patient=""))
    at.etl("run", "operating_room", expected=2)
    kept = "select count(*) from etl.quality_issue where rule = 'MissingRequiredFields' and status = 'open'"
    assert at.query(kept) == [(MOST,)]
    assert "         9  error    MissingRequiredFields" in at.etl("issues", "list")
