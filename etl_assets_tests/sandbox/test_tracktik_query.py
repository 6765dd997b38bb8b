"""The query language of the service: what it finds, what it refuses, and what it takes no notice of."""

from collections.abc import Iterator

import pytest

from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.resources import RESOURCES
from etl_assets.sandbox.tracktik.service import serve
from etl_assets_tests.sandbox.test_tracktik_service import WINDOW, Caller


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(periods=2)


@pytest.fixture(scope="module")
def caller(company: Company) -> Iterator[Caller]:
    with serve(company) as service, Caller(service) as caller:
        yield caller


REFUSED = [
    ("shifts", {}, "startDateTime"),
    ("work-sessions", {}, "startedOn"),
    ("shift-summaries", {"includeInactive": "true"}, "periodDate"),
    ("shifts", {**WINDOW, "page": "2"}, "page"),
    ("clients", {"page": "2"}, "page"),
    ("shifts", {**WINDOW, "sort": "-id"}, "sort"),
    ("shifts", {**WINDOW, "include": "employee,position"}, "include"),
    ("shifts", {"account": "2002"}, "account"),
    ("shifts", {"account.id:in": "2002,2003"}, "account.id"),
    ("shifts", {**WINDOW, "colour": "red"}, "colour"),
    ("shifts", {**WINDOW, "employee.colour": "red"}, "employee.colour"),
    ("shifts", {**WINDOW, "status.name": "ACTIVE"}, "status.name"),
    ("shifts", {"startDateTime:since": "2026-01-02"}, "startDateTime"),
    ("shifts", {"startDateTime:between": "2026-01-01|2026-02-02"}, "startDateTime"),
    ("work-sessions", {"startedOn:between": "2026-01-01|2026-02-02"}, "startedOn"),
    ("shifts", {"startDateTime:between": "2026-01-01"}, "startDateTime"),
    ("shifts", {"startDateTime:between": "yesterday|today"}, "startDateTime"),
    ("shifts", {"id:in": ",".join(map(str, range(1, 102)))}, "id"),
    ("employees", {"id:in": ",".join(map(str, range(1, 102)))}, "id"),
    ("shifts", {"scope": "PUBLISHED"}, "scope"),
    ("clients", {"scope": "IS_CURRENT"}, "scope"),
    ("clients", {"fields": "id,colour"}, "colour"),
    ("clients", {"include": "status"}, "status"),
    ("clients", {"sort": "-colour"}, "colour"),
    ("clients", {"limit": "many"}, "limit"),
    ("clients", {"limit": "0"}, "limit"),
    ("clients", {"offset": "-1"}, "offset"),
]


@pytest.mark.parametrize(
    ("path", "query", "field"), REFUSED, ids=[f"{p} {f} {n}" for n, (p, _, f) in enumerate(REFUSED)]
)
def test_what_is_refused_and_that_the_body_names_it(
    caller: Caller, path: str, query: dict[str, str], field: str
) -> None:
    response = caller.get(path, query)
    assert response.status_code == 400
    assert response.json()["error"]["field"] == field


@pytest.mark.parametrize("span", ["2026-01-01|2026-02-01", "2026-02-01|2026-03-04", "2026-01-08|2026-01-02"])
def test_a_month_is_not_too_long_whichever_it_is(caller: Caller, span: str) -> None:
    assert caller.get("shifts", {"startDateTime:between": span}).status_code == 200


@pytest.mark.parametrize("operator", ["gte", "lte", "gt", "lt"])
def test_bounds_on_dates_are_taken_no_notice_of(caller: Caller, company: Company, operator: str) -> None:
    found = caller.get("shifts", {f"startDateTime:{operator}": "2026-01-04", "limit": 1}).json()
    assert found["meta"]["count"] == len(company.shifts())
    assert caller.get("clients", {f"updatedOn:{operator}": "1999-01-01"}).json()["meta"]["count"] > 20


FILTERS = [
    ("employees", {"region": "111"}, lambda e: e["region"] == 111),
    ("employees", {"region.id": "111"}, lambda e: e["region"] == 111),
    ("employees", {"region.name:contains": "prairie"}, lambda e: e["region"] == 114),
    ("employees", {"id:in": "5001,5002,7"}, lambda e: e["id"] in (5001, 5002)),
    ("employees", {"firstName:startswith": "z"}, lambda e: e["firstName"] == "Zoë"),
    ("employees", {"email:endswith": "example.org"}, lambda e: True),
    ("employees", {"id:gt": "5100"}, lambda e: e["id"] > 5100),
    ("employees", {"id:between": "5010|5012"}, lambda e: 5010 <= e["id"] <= 5012),
    ("employees", {"secondaryPhone:isnull": ""}, lambda e: e["secondaryPhone"] is None),
    ("employees", {"secondaryPhone:isnotnull": ""}, lambda e: e["secondaryPhone"] is not None),
    ("employees", {"tags:inSet": "driver"}, lambda e: "driver" in e["tags"]),
    ("employees", {"address.state": "AK"}, lambda e: e["address"]["state"] == "AK"),
    (
        "employees",
        {"jobTitle:not": "Guard", "language": "ES"},
        lambda e: e["jobTitle"] != "Guard" and e["language"] == "ES",
    ),
    ("employees", {"birthday:before": "1980-01-01"}, lambda e: e["birthday"] < "1980-01-01"),
    ("employees", {"q": "zoë"}, lambda e: "Zoë" in e["name"]),
    ("shifts", {**WINDOW, "employee.region": "117"}, lambda s: True),
    ("shifts", {**WINDOW, "vacant": "1"}, lambda s: s["vacant"]),
    ("shifts", {**WINDOW, "status": "CANCELLED"}, lambda s: s["status"] == "CANCELLED"),
    ("shifts", {**WINDOW, "breakInMinutes": "60"}, lambda s: s["breakInMinutes"] == 60),
    ("shifts", {"scope": "IN_THE_FUTURE"}, lambda s: s["attendanceStatus"] in ("SCHEDULED", "PTO")),
    ("shifts", {"scope": "IS_CURRENT"}, lambda s: s["attendanceStatus"] in ("IN_PROGRESS", "LATE", "PTO")),
]


@pytest.mark.parametrize(("path", "query", "holds"), FILTERS, ids=[str(f[1]) for f in FILTERS])
def test_a_filter_finds_what_it_says_and_all_of_it(caller: Caller, path: str, query: dict[str, str], holds) -> None:
    whole = {"fields": ",".join(RESOURCES[path].fields), "limit": 1000}
    whole |= {"include": "address"} if path == "employees" else {}
    found = caller.data(path, {**query, **whole})
    assert found
    assert all(map(holds, found))
    if path == "employees":
        everybody = caller.data(path, whole)
        assert [employee for employee in everybody if holds(employee)] == found


def test_shifts_of_a_region_are_found_by_its_own_id_and_not_by_its_parents(caller: Caller, company: Company) -> None:
    found = caller.data("shifts", {**WINDOW, "employee.region": "117", "limit": 1000})
    assert {company.employees[shift["employee"]]["region"] for shift in found} == {117}
    assert caller.data("shifts", {**WINDOW, "employee.region": "110"}) == []


def test_lists_are_sorted_by_id_or_as_they_are_asked(caller: Caller) -> None:
    assert [one["id"] for one in caller.data("regions")] == sorted(one["id"] for one in caller.data("regions"))
    found = caller.data("employees", {"sort": "-region.name,lastName", "limit": 1000})
    names = {region["id"]: region["name"] for region in caller.data("regions")}
    assert found == sorted(
        sorted(found, key=lambda one: one["lastName"]), key=lambda one: names[one["region"]], reverse=True
    )
