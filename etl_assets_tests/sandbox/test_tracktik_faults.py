"""Faults on request do what they say, to the requests that they were planned for and to no other."""

import threading
import time
from collections.abc import Iterator

import pytest
import requests

from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.faults import KINDS
from etl_assets.sandbox.tracktik.service import Service, serve
from etl_assets_tests.sandbox.test_tracktik_service import Caller

WINDOW = {"startDateTime:between": "2025-12-26|2026-01-08", "fields": "id"}


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(periods=1, shifts_a_day=30)


@pytest.fixture
def service(company: Company) -> Iterator[Service]:
    with serve(company) as service:
        yield service


@pytest.fixture
def caller(service: Service) -> Iterator[Caller]:
    with Caller(service) as caller:
        yield caller


def ids(caller: Caller, offset: int, limit: int = 50) -> list[int]:
    return [shift["id"] for shift in caller.data("shifts", {**WINDOW, "limit": limit, "offset": offset})]


def test_there_is_no_other_kind(service: Service) -> None:
    with pytest.raises(ValueError, match="no fault is called 'flood'; there are: count_lies"):
        service.faults.plan("flood")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_the_requests_that_are_meant_fail(service: Service, caller: Caller, status: int) -> None:
    service.faults.plan("status", path="regions", nth=2, times=2, status=status)
    assert [caller.get("regions").status_code for _ in range(4)] == [200, status, status, 200]
    assert caller.get("clients").status_code == 200
    assert [asked.status for asked in service.requests if asked.path == "regions"] == [200, status, status, 200]


def test_without_a_path_all_are_struck_but_the_token_endpoint(service: Service, caller: Caller) -> None:
    service.faults.plan("status", nth=2)
    assert caller.token().status_code == 200
    assert [caller.get(path).status_code for path in ("regions", "clients/2002", "regions")] == [200, 503, 200]
    service.faults.plan("status", path="oauth2/access_token")
    assert [caller.get("regions").status_code, caller.token().status_code, caller.token().status_code] == [
        200,
        503,
        200,
    ]


def test_a_share_of_requests_is_the_same_for_the_same_seed(service: Service, caller: Caller) -> None:
    def struck(seed: int) -> list[int]:
        service.faults.clear()
        service.faults.plan("status", path="regions", share=0.3, seed=seed)
        return [caller.get("regions").status_code for _ in range(40)]

    first = struck(1)
    assert first == struck(1) != struck(2)
    assert 4 < first.count(503) < 22


def test_too_many_requests_says_when_to_come_again(service: Service, caller: Caller) -> None:
    service.faults.plan("too_many", retry_after=7)
    response = caller.get("regions")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")


def test_a_connection_is_dropped(service: Service, caller: Caller) -> None:
    service.faults.plan("dropped", path="regions")
    with pytest.raises(requests.ConnectionError):
        caller.get("regions")
    assert service.requests[-1].status == 0
    assert caller.get("regions").status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_body_is_cut_off(service: Service, caller: Caller, encoding: str) -> None:
    service.faults.plan("cut_off", path="employees")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        caller.get("employees", Accept_Encoding=encoding)
    assert caller.get("employees", Accept_Encoding=encoding).status_code == 200


def test_a_token_ends_at_once(service: Service, caller: Caller) -> None:
    service.faults.plan("token_expired", path="regions", nth=2)
    assert [caller.get("regions").status_code for _ in range(3)] == [200, 401, 401]
    caller.__enter__()
    assert caller.get("regions").status_code == 200


@pytest.mark.parametrize("by", [3, -3])
def test_a_count_lies(service: Service, caller: Caller, by: int) -> None:
    count = caller.get("regions").json()["meta"]["count"]
    service.faults.plan("count_lies", path="regions", times=2, by=by)
    found = caller.get("regions").json()
    assert (found["meta"]["count"], found["meta"]["itemCount"]) == (count + by, count)
    assert caller.get("regions", Accept_Encoding="identity").json()["meta"]["count"] == count + by
    assert caller.get("regions").json()["meta"]["count"] == count


def test_a_list_grows_or_shrinks_between_two_pages(service: Service, caller: Caller) -> None:
    first, second = ids(caller, 0), ids(caller, 50)
    service.faults.plan("list_shifts", path="shifts", nth=2, by=2)
    assert ids(caller, 0) == first
    assert ids(caller, 50) == first[-2:] + second[:-2]
    service.faults.clear()
    service.faults.plan("list_shifts", path="shifts", nth=2, by=-2)
    assert ids(caller, 0) == first
    assert ids(caller, 50)[:48] == second[2:]


def test_a_page_hangs_and_others_do_not_wait_for_it(service: Service, caller: Caller) -> None:
    fault = service.faults.plan("hangs", path="regions", seconds=1.5)
    began = time.monotonic()
    hanging = threading.Thread(target=caller.get, args=("regions",))
    hanging.start()
    while not fault.seen:
        time.sleep(0.01)
    with Caller(service) as other:
        assert other.get("regions").status_code == 200
    assert time.monotonic() - began < 1.4
    hanging.join()
    assert time.monotonic() - began >= 1.5


def test_a_page_that_hangs_does_not_keep_the_service_open(company: Company) -> None:
    with serve(company) as service, Caller(service) as caller:
        service.faults.plan("hangs", path="regions", seconds=60)
        with pytest.raises(requests.exceptions.ReadTimeout):
            caller.session.get(f"{caller.url}/regions", timeout=0.3)
        began = time.monotonic()
        service.close()
        assert time.monotonic() - began < 5


def test_json_that_breaks_off(service: Service, caller: Caller) -> None:
    service.faults.plan("not_json", path="regions")
    response = caller.get("regions")
    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) == len(response.content)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        response.json()


def test_every_kind_says_what_it_does() -> None:
    assert all(KINDS.values())
