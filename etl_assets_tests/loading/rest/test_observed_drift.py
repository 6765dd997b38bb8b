"""What the records of a service were seen to hold: fields, types and codes, with dates, and what is told of them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etl_assets.declare.rest import RestTable
from etl_assets.declare.tables import Field
from etl_assets.loading.rest.observed_drift import check_observed
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.rest.trial_office import Office, open_office

SHAPES = """
version: '1'
base_path: /
endpoints:
  /studies: {shape: array, model: Study, codes: [200]}
models:
  Study: {id: int, name: str, phase: enum I|II|III, site: Site, tags: list str, arms: list Arm, extra: object}
  Site: {id: int, zone: str}
  Arm: {Id: int, Kind: enum Drug|Placebo}
"""
TODAY = "to_char(now() at time zone 'utc', 'YYYY-MM-DD')"


def study(number: int, **more: object) -> dict[str, object]:
    return {
        "id": number, "name": f"Study {number}", "phase": "I", "site": {"id": 1, "zone": "UTC"}, "tags": [],
        "arms": [{"Id": 1, "Kind": "Drug"}], "extra": {"any": 1}, **more,
    }  # fmt: skip


@pytest.fixture
def office(settings: Settings, tmp_path: Path) -> Iterator[Office]:
    """An office with declared shapes, of which the tenant in the north alone is asked for its studies."""
    with open_office(settings, tmp_path) as opened:
        path = tmp_path / "shapes.yaml"
        path.write_text(SHAPES)
        opened.source = replace(opened.source, reader=replace(opened.source.service, shapes=path))
        opened.lists["north"]["studies"] = [study(number) for number in range(10)]
        yield opened


def load(office: Office) -> None:
    reports = office.load("studies_staging", instances=["north"])
    assert [report.failure for report in reports.values()] == [None]


def told(office: Office) -> list[str]:
    """What a check tells, without the table; today's date is called so."""
    with open_batch(office.settings, office.source.name, "check") as batch:
        _, lines = check_observed(batch, office.source)
    ((today,),) = office.query(f"select {TODAY}")
    assert all(line.startswith("office_raw.studies_staging: north: ") for line in lines)
    return [line.removeprefix("office_raw.studies_staging: north: ").replace(today, "today") for line in lines]


def with_table(office: Office, **words: object) -> None:
    """Declare the studies otherwise."""
    tables = tuple(
        replace(table, **words) if isinstance(table, RestTable) and table.name == "studies_staging" else table
        for table in office.source.tables
    )
    office.source = replace(office.source, tables=tables)


def without_shapes(office: Office) -> None:
    office.source = replace(office.source, reader=replace(office.source.service, shapes=None))


def test_records_as_they_are_declared_are_remembered_and_nothing_is_told(office: Office) -> None:
    load(office)
    assert told(office) == []
    seen = office.query("select path, json_type from etl.observed_field where instance = 'north' order by 1, 2")
    assert seen == [
        ("arms", "array"), ("arms[]", "object"), ("arms[].Id", "number"), ("arms[].Kind", "string"),
        ("extra", "object"), ("extra.any", "number"), ("id", "number"), ("name", "string"), ("phase", "string"),
        ("site", "object"), ("site.id", "number"), ("site.zone", "string"), ("tags", "null"),
    ]  # fmt: skip
    values = office.query("select path, value from etl.observed_value order by 1, 2")
    assert values == [("arms[].Kind", "Drug"), ("phase", "I")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"note": 1}, ["note is new since today"], id="a field that is not declared"),
        pytest.param({"site": {"id": 1, "zone": "UTC", "city": "x"}}, ["site.city is new since today"], id="nested"),
        pytest.param({"map": {"Jane Doe": {"x": 1}}}, ["map is new since today"], id="the outermost alone"),
        pytest.param({"name": 7}, ["name is of type number since today; str is declared"], id="another type"),
        pytest.param({"arms": {"Id": 1}}, ["arms is of type object since today; list Arm is declared"], id="no list"),
        pytest.param({"phase": "IV"}, ["phase may be IV since today"], id="a new value"),
        pytest.param({"phase": "III"}, [], id="a declared value"),
        pytest.param({"arms": [{"Id": 2, "Kind": "Sham"}]}, ["arms[].Kind may be Sham since today"], id="in a list"),
        pytest.param({"phase": None, "extra": {"other": [1]}, "tags": ["a"]}, [], id="what may be"),
        pytest.param({"name": ""}, [], id="nothing in one of them"),
    ],
)
def test_a_change_in_one_record_is_told_with_its_date(office: Office, change: dict, expected: list[str]) -> None:
    load(office)
    office.execute("update etl.observed_field set first_seen_at = '2026-01-05', last_seen_at = '2026-01-05'")
    office.lists["north"]["studies"][3] |= change
    load(office)
    found = [line for line in told(office) if "arms.Id" not in line]
    assert found == expected


def test_a_field_that_no_record_has_any_longer_is_told_until_one_has_it_again(office: Office) -> None:
    load(office)
    office.execute("update etl.observed_field set first_seen_at = '2026-01-05', last_seen_at = '2026-01-05'")
    studies = office.lists["north"]["studies"]
    for each in studies[1:]:
        each["site"] = None
        each["name"] = ""
    load(office)
    assert told(office) == []
    del studies[0]["site"]
    studies[0]["name"] = None
    load(office)
    assert told(office) == [
        "name is no longer filled since today; it was last seen on 2026-01-05",
        "site is no longer filled since today; it was last seen on 2026-01-05",
    ]
    studies[4]["site"] = {"id": 2, "zone": None}
    load(office)
    assert told(office) == [
        "name is no longer filled since today; it was last seen on 2026-01-05",
        "site.zone is no longer filled since today; it was last seen on 2026-01-05",
    ]
    open_now = "select field, status from etl.quality_issue where rule = 'ObservedFields' order by 1"
    assert office.query(open_now) == [("name", "open"), ("site", "closed"), ("site.zone", "open")]


def test_the_only_record_that_had_a_field_is_gone_from_the_list(office: Office) -> None:
    for each in office.lists["north"]["studies"][1:]:
        each["tags"] = None
    office.lists["north"]["studies"][0]["tags"] = ["a"]
    load(office)
    office.lists["north"]["studies"].pop(0)
    load(office)
    assert told(office) == ["tags is no longer filled since today; it was last seen on today"]


def test_a_field_is_looked_for_at_the_row_that_had_it_and_not_in_all(office: Office) -> None:
    studies = office.lists["north"]["studies"]
    for each in studies:
        each["tags"] = []
    studies[7]["tags"] = ["rare"]
    load(office)
    studies[1]["name"] = "renamed"
    load(office)
    ((witness,),) = office.query("select witness from etl.observed_field where path = 'tags[]'")
    assert office.query(f"select entity_id from office_raw.studies_staging where id = {witness}") == [(7,)]
    # It is written again only where another row was searched for.
    written = "select xmin::text from etl.observed_field where path = 'tags[]'"
    before = office.query(written)
    studies[1]["name"] = "renamed again"
    load(office)
    assert office.query(written) == before
    studies[7]["tags"] = None
    studies[8]["tags"] = ["rarer"]
    load(office)
    assert told(office) == []


def test_a_finding_that_somebody_resolved_is_not_told_and_another_value_is(office: Office) -> None:
    load(office)
    office.lists["north"]["studies"][3]["phase"] = "IV"
    load(office)
    assert told(office) == ["phase may be IV since today"]
    ((issue, severity),) = office.query("select issue_id, severity from etl.quality_issue where status = 'open'")
    assert severity == "warning"
    office.execute(f"select etl.resolve_issue({issue}, 'Ada', 'the vendor has it since 9.0')")
    assert told(office) == []
    office.lists["north"]["studies"][4]["phase"] = "V"
    load(office)
    assert told(office) == ["phase may be V since today"]


def test_without_a_specification_the_first_load_is_what_others_are_held_against(office: Office) -> None:
    without_shapes(office)
    with_table(office, codes=("phase",))
    load(office)
    assert told(office) == []
    first = office.lists["north"]["studies"][0]
    first |= {"phase": "II", "name": 7, "note": None, "extra": {"any": 1, "more": 1}, "tags": ["a"]}
    load(office)
    assert told(office) == [
        "extra.more is new since today",
        "name is of type number since today; it was string before",
        "note is new since today",
        "phase may be II since today",
    ]


def test_no_value_is_remembered_that_is_of_a_person_or_no_code(office: Office) -> None:
    with_table(
        office,
        codes=("status", "name", "group"),
        fields=(Field(name="entity_id", type="bigint", path="id"), Field(name="name", type="text", path="name")),
        personal=("name",),
        personal_document=True,
    )
    office.lists["north"]["studies"] = [
        study(1, name="Jane", status="Jane Doe", group="Active", phase="II"),
        study(2, status="900-11-2222", phase="Jane Doe of Main Street", map={"Jane Doe": 1}),
    ]
    load(office)
    values = office.query("select path, value from etl.observed_value order by 1, 2")
    assert values == [
        ("arms[].Kind", "Drug"), ("group", "Active"), ("phase", "(withheld)"), ("phase", "II"),
        ("status", "(withheld)"),
    ]  # fmt: skip
    lines = told(office)
    assert "phase may be what does not read as a code since today" in lines
    kept = json.dumps(office.query("select f::text from etl.observed_field as f"), default=str)
    kept += str(office.query("select i::text from etl.quality_issue as i")) + str(lines)
    assert not [each for each in ("Jane", "2222", "Street") if each in kept]
    assert office.query("select json_type from etl.observed_field where path = 'map.*'") == [("number",)]


def test_what_is_remembered_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_assets.warehouse.rest.observed_fields.MAX_FIELDS", 15)
    monkeypatch.setattr("etl_assets.warehouse.rest.observed_fields.MAX_VALUES", 3)
    load(office)
    for number, each in enumerate(office.lists["north"]["studies"]):
        each |= {"phase": f"P{number}", f"field{number}": 1}
    load(office)
    load(office)
    assert office.query("select count(*) from etl.observed_field") == [(15,)]
    assert office.query("select count(*) from etl.observed_value where path = 'phase'") == [(3,)]


def test_of_very_many_new_records_only_the_first_ones_are_looked_at(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_assets.warehouse.rest.observed_fields.MAX_RECORDS_FOR_FIELDS", 5)
    office.lists["north"]["studies"] = [study(at, **{f"field{at}": 1}) for at in range(10)]
    load(office)
    seen = office.query("select count(*) from etl.observed_field where path like 'field%'")
    assert seen == [(5,)]


def test_lists_of_parents_are_looked_at_chunk_by_chunk(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_assets.loading.rest.jobs.CHUNK_PARENTS", 2)
    office.load("studies_staging", "subjects_staging", instances=["south"])
    office.lists["south"]["studies/0/subjects"][0]["tag"] = "x"
    office.load("subjects_staging", instances=["south"])
    gone = "select path from etl.observed_field where relation like '%subjects_staging' and gone_since is not null"
    assert office.query(gone) == []
    del office.lists["south"]["studies/0/subjects"][0]["tag"]
    office.load("subjects_staging", instances=["south"])
    assert office.query(gone) == [("tag",)]


def test_a_load_that_changes_nothing_writes_nothing_down(office: Office) -> None:
    load(office)
    before = office.query("select f::text from etl.observed_field as f order by 1")
    load(office)
    assert office.query("select f::text from etl.observed_field as f order by 1") == before
