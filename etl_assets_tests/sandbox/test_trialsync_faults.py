"""Faults on request of the stand-in of Clinical Conductor: those of lists, and that the common ones are there."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from etl_assets.sandbox.faults import COMMON_KINDS
from etl_assets.sandbox.trialsync.service import KINDS, Service
from etl_assets_tests.sandbox.trialsync import Conductor

ALWAYS = 10**6


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture
def caller(service: Service) -> Iterator[Conductor]:
    with Conductor(service) as caller:
        yield caller


def ids(caller: Conductor, path: str = "patient-visits/odata", **query: object) -> list[int]:
    answer = caller.answer(path, **{"top": 20, **query})
    return [record["id"] for record in (answer if isinstance(answer, list) else answer["Items"])]


def test_every_kind_says_what_it_does_and_has_a_test() -> None:
    assert all(KINDS.values())
    assert KINDS.keys() - COMMON_KINDS.keys() == {
        "caps",
        "ignores_skip",
        "repeats",
        "misorders",
        "duplicates",
        "count_lies",
    }


def test_some_parents_fail_and_the_others_do_not(service: Service, caller: Conductor) -> None:
    service.faults.plan("status", path="patients/20003/*", times=ALWAYS, status=500)
    service.faults.plan("status", path="patients/20005/allergies", times=1, status=502)
    asked = [f"patients/{20_000 + number}/{name}" for number in (3, 4, 5) for name in ("allergies", "devices")]
    assert [caller.get(path).status_code for path in asked] == [500, 500, 200, 200, 502, 200]
    assert [caller.get(path).status_code for path in asked] == [500, 500, 200, 200, 200, 200]
    assert service.requests == {"patients/{}/allergies": 6, "patients/{}/devices": 6}
    assert [each.path for each in service.latest if each.status == 502] == ["patients/20005/allergies"]


def test_too_many_requests_say_when_to_come_again() -> None:
    with Service(calls_per_minute=3, minute_seconds=1.0) as service, Conductor(service) as caller:
        answers = [caller.get("sites") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["Retry-After"] == "1"
        time.sleep(1.05)
        assert caller.get("sites").status_code == 200


def test_the_common_kinds_are_there(service: Service, caller: Conductor) -> None:
    service.faults.plan("too_many", path="sites", retry_after=7)
    assert caller.get("sites").headers["Retry-After"] == "7"
    service.faults.plan("not_json", path="sites")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        caller.answer("sites")
    service.faults.plan("cut_off", path="sites")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        caller.get("sites")
    service.faults.plan("dropped", path="sites")
    with pytest.raises(requests.ConnectionError):
        caller.get("sites")
    assert service.latest[-1].status == 0
    assert caller.get("sites").status_code == 200


def test_answers_take_as_long_as_is_asked_for() -> None:
    with Service(latency=0.1) as service, Conductor(service) as caller:
        service.faults.plan("hangs", path="sites", nth=2, seconds=0.2)
        for least in (0.1, 0.3):
            began = time.monotonic()
            caller.get("sites")
            assert time.monotonic() - began >= least


@pytest.mark.parametrize("path", ["patient-visits/odata", "patients/odata"])
def test_a_server_that_caps_gives_less_than_was_asked_for_and_no_link(
    service: Service, caller: Conductor, path: str
) -> None:
    whole = ids(caller, path, top=40)
    service.faults.plan("caps", path=path, times=ALWAYS, by=15)
    assert ids(caller, path) == whole[:15]
    assert ids(caller, path, skip=15) == whole[15:30]
    if path == "patient-visits/odata":
        assert caller.answer(path, top=20, count="true")["NextPageLink"] is None


def test_a_server_that_ignores_skip(service: Service, caller: Conductor) -> None:
    service.faults.plan("ignores_skip", times=ALWAYS)
    assert ids(caller, skip=20) == ids(caller, skip=0) == ids(caller)


def test_a_page_is_repeated(service: Service, caller: Conductor) -> None:
    pages = [ids(caller, skip=skip) for skip in (0, 20, 40)]
    service.faults.plan("repeats", nth=2)
    assert [ids(caller, skip=skip) for skip in (0, 20, 40)] == [pages[0], pages[0], pages[2]]


def test_pages_are_misordered_where_no_order_is_asked_for(service: Service, caller: Conductor) -> None:
    first, whole = (
        ids(caller),
        {visit for page in caller.pages("patient-visits/odata", top=500) for visit in [one["id"] for one in page]},
    )
    service.faults.plan("misorders", times=ALWAYS)
    pages = [ids(caller) for _ in range(4)]
    assert all(len(set(page)) == 20 and set(page) <= whole for page in pages)
    assert len({tuple(page) for page in pages}) > 1
    assert ids(caller, orderby="id") == first


def test_records_come_twice(service: Service, caller: Conductor) -> None:
    first, second = ids(caller), ids(caller, skip=20)
    service.faults.plan("duplicates", nth=2, by=3)
    assert ids(caller) == first
    assert ids(caller, skip=20) == second + second[:3]


@pytest.mark.parametrize("by", [3, -3])
def test_a_count_lies(service: Service, caller: Conductor, by: int) -> None:
    count = caller.answer("patient-visits/odata", count="true")["Count"]
    service.faults.plan("count_lies", by=by)
    assert caller.answer("patient-visits/odata", count="true")["Count"] == count + by
    assert caller.answer("patient-visits/odata", count="true")["Count"] == count


def test_a_link_leads_to_what_a_page_that_came_twice_leaves(service: Service, caller: Conductor) -> None:
    service.faults.plan("duplicates", by=3)
    page = caller.answer("patient-visits/odata")
    assert len(page["Items"]) == 53
    assert "skip=50" in urlsplit(page["NextPageLink"]).query
