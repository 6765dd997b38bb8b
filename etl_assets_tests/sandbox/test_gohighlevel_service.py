"""The stand-in of GoHighLevel: its shapes, how it refuses, and that any number of contacts costs nothing."""

import time
from collections.abc import Iterator
from itertools import islice, pairwise
from threading import Event
from typing import Any

import pytest
import requests

from etl_assets.sandbox.faults import COMMON_KINDS
from etl_assets.sandbox.gohighlevel.contacts import Location
from etl_assets.sandbox.gohighlevel.service import KINDS, Service, run_location

SORT = [{"field": "dateAdded", "direction": "asc"}]


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


def ask(service: Service, headers: dict[str, str] | None = None, **body: Any) -> requests.Response:
    sent = {"Authorization": f"Bearer {service.token}", "Version": "2021-07-28", **(headers or {})}
    wanted = {"locationId": service.location.id, "pageLimit": 50, "sort": SORT, **body}
    return requests.post(f"{service.address}/contacts/search", json=wanted, headers=sent, timeout=10)


def test_a_search_goes_on_behind_the_place_of_the_last_contact(service: Service) -> None:
    first = ask(service).json()
    assert first.keys() == {"contacts", "total", "traceId"}
    assert (len(first["contacts"]), first["total"]) == (50, 120)
    found, place = first["contacts"], first["contacts"][-1]["searchAfter"]
    while page := ask(service, searchAfter=place).json()["contacts"]:
        found += page
        place = page[-1]["searchAfter"]
    assert len({each["id"] for each in found}) == len(found) == 120
    assert all(one["searchAfter"] < other["searchAfter"] for one, other in pairwise(found))
    assert {len(each["id"]) for each in found} == {20}


@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        ({"Authorization": "Bearer other"}, {}, 401, "Invalid JWT"),
        ({"Version": "1"}, {}, 401, "version header"),
        ({}, {"locationId": "another"}, 403, "does not have access"),
        ({}, {"pageLimit": 501}, 422, "up to 500"),
        ({}, {"pageLimit": None}, 422, "pageLimit"),
        ({}, {"sort": []}, 422, "dateAdded"),
    ],
)
def test_what_it_does_not_answer_it_refuses(
    service: Service, headers: dict[str, str], body: dict[str, Any], status: int, message: str
) -> None:
    answer = ask(service, headers, **body)
    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)
    assert message in answer.json()["message"]


def test_it_says_how_many_calls_are_left_and_never_when_to_come_again() -> None:
    with Service(burst_calls=2, burst_seconds=0.5, daily_calls=4) as service:
        answers = [ask(service) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
        assert {answer.headers["X-RateLimit-Interval-Milliseconds"] for answer in answers} == {"500"}
        assert answers[-1].headers.keys().isdisjoint({"Retry-After", "X-RateLimit-Reset"})
        time.sleep(0.6)
        assert [ask(service).status_code for _ in range(2)] == [200, 429]
        last = ask(service)
        assert (last.status_code, last.headers["X-RateLimit-Daily-Remaining"]) == (429, "0")


def test_a_contact_far_behind_is_found_at_once() -> None:
    location = Location(contacts=5_000_000)
    begun = time.monotonic()
    before = location.contact(4_000_000)
    assert [each["id"] for each in islice(location.after(tuple(before["searchAfter"])), 4)] == [
        location.contact_id(number) for number in range(4_000_001, 4_000_005)
    ]
    assert time.monotonic() - begun < 1


def test_who_starts_it_is_given_what_a_loader_needs() -> None:
    lines: list[str] = []
    over = Event()
    over.set()
    run_location(0, contacts=3, say=lines.append, until=over)
    assert [line.split("=")[0] for line in lines] == [
        "export ETL_GOHIGHLEVEL_INSTANCES",
        "export ETL_GOHIGHLEVEL_MAIN_URL",
        "export ETL_GOHIGHLEVEL_MAIN_LOCATION_ID",
        "export ETL_GOHIGHLEVEL_MAIN_TOKEN",
    ]


def test_every_kind_of_fault_says_what_it_does() -> None:
    assert all(KINDS.values())
    assert COMMON_KINDS.keys() < KINDS.keys()
