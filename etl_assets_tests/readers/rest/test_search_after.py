"""A search that goes on behind the last record: what is sent, when it ends, and how a list that goes wrong is found."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from etl_assets.declare.endpoints import Bare, Endpoint, NextLink, OnePage, Records, SearchAfter
from etl_assets.declare.rest import RestTable
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError, ListChanged
from etl_assets.readers.rest.auth import BearerToken
from etl_assets.readers.rest.client import HttpClient
from etl_assets.readers.rest.reader import RestReader
from etl_assets.readers.rest.unreadable import UnreadableAnswer
from etl_assets_tests.readers.rest.calls import SECRET, everything_in
from etl_assets_tests.readers.rest.services import QUICK, read_all
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, Script, StandIn, in_turn, json_answer, stand_in

PAGING = SearchAfter(limit="pageLimit", after="searchAfter", at="sort.place", count="meta.total", size=10)
PEOPLE = RestTable(
    name="people",
    key="id",
    load=Full(),
    endpoint=Endpoint(
        path="places/{place_id}/search",
        body={"place": "{place_id}", "by": [{"field": "added"}], "n": 1},
        parameters={"v": "2"},
        envelope=Records(at="found"),
        paging=PAGING,
    ),
)
PLACE = "a b/{c}"
"""An id that no path may take as it is."""


def people(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": number, "sort": {"place": [1000 + number // 3, f"k{number:03}"]}} for number in range(first, last)]


def page_of(found: Sequence[dict[str, Any]], total: int) -> Answer:
    return json_answer({"found": found, "meta": {"total": total}})


def search(total: int, *, cap: int = 10, counted: int | None = None) -> Script:
    """A list that gives `cap` records a page, and counts as it is told."""

    def script(asked: Asked) -> Answer:
        wanted = json.loads(asked.body)
        after = wanted.get("searchAfter", [0, ""])
        found = [each for each in people(1, total + 1) if each["sort"]["place"] > after]
        return page_of(found[: min(cap, wanted["pageLimit"])], total if counted is None else counted)

    return script


@contextmanager
def searching(script: Script) -> Iterator[tuple[RestReader, StandIn]]:
    with stand_in(script) as server:
        client = HttpClient(server.url, auth=BearerToken(SECRET), retry_policy=QUICK)
        reader = RestReader(client, settings={"place_id": PLACE})
        try:
            yield reader, server
        finally:
            reader.close()


def failure(script: Script) -> EtlError:
    with searching(script) as (reader, _), pytest.raises(EtlError) as raised:
        read_all(reader, PEOPLE)
    return raised.value


def test_each_page_is_asked_for_behind_the_last_record_of_the_one_before() -> None:
    with searching(search(25)) as (reader, server):
        documents, rejected = read_all(reader, PEOPLE)
    assert ([document.key for document in documents], rejected) == ([(number,) for number in range(1, 26)], [])
    body = {"place": PLACE, "by": [{"field": "added"}], "n": 1, "pageLimit": 10}
    assert [json.loads(asked.body) for asked in server.asked] == [
        body,
        {**body, "searchAfter": [1003, "k010"]},
        {**body, "searchAfter": [1006, "k020"]},
    ]
    assert {(asked.method, asked.path, asked.headers["Content-Type"]) for asked in server.asked} == {
        ("POST", "/places/a%20b%2F%7Bc%7D/search", "application/json")
    }
    assert {(asked.query["v"], asked.headers["Authorization"]) for asked in server.asked} == {("2", f"Bearer {SECRET}")}


@pytest.mark.parametrize(
    ("total", "cap", "requests"),
    [
        pytest.param(0, 10, 1, id="an empty list"),
        pytest.param(9, 10, 1, id="a short page"),
        pytest.param(20, 10, 3, id="a full page may have another behind it"),
        pytest.param(12, 5, 3, id="a service that gives less than it is asked for"),
    ],
)
def test_a_list_ends_where_a_page_is_short_and_all_have_come(total: int, cap: int, requests: int) -> None:
    with searching(search(total, cap=cap)) as (reader, server):
        documents, _ = read_all(reader, PEOPLE)
    assert (len(documents), len(server.asked)) == (total, requests)


def test_a_page_that_fails_is_asked_for_again() -> None:
    ask, failed = search(15), [Answer(status=502), Answer(status=429)]

    def script(asked: Asked) -> Answer:
        return failed.pop() if failed and b"searchAfter" in asked.body else ask(asked)

    with searching(script) as (reader, server):
        documents, _ = read_all(reader, PEOPLE)
    assert (len(documents), len(server.asked)) == (15, 4)


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        pytest.param(
            15, "20 records came, and the last page counts 15", id="a count that goes no further than it does"
        ),
        pytest.param(20, "25 records came, and the last page counts 20", id="the same, where it ends with a page"),
        pytest.param(26, "25 records came, and the last page counts 26", id="a count of more than there are"),
    ],
)
def test_a_list_that_is_not_what_it_counts_is_not_believed(counted: int, message: str) -> None:
    error = failure(search(25, counted=counted))
    assert isinstance(error, ListChanged)
    assert message in str(error)


def test_a_list_that_creeps_is_not_read_for_ever() -> None:
    """Pages from the last record to the first: each begins one record behind the one before."""

    def script(asked: Asked) -> Answer:
        after = json.loads(asked.body).get("searchAfter", [0, ""])
        found = [each for each in people(1, 1_001) if each["sort"]["place"] > after]
        return page_of(found[:10][::-1], 1_000)

    with searching(script) as (reader, server), pytest.raises(ListChanged, match=r"1,010 records came"):
        read_all(reader, PEOPLE)
    assert len(server.asked) == 101


def test_a_list_that_became_shorter_is_read_again() -> None:
    error = failure(in_turn(page_of(people(1, 11), 25), page_of(people(11, 21), 24)))
    assert isinstance(error, ListChanged)
    assert "from 25 records to 24" in str(error)


@pytest.mark.parametrize(
    ("second", "kind", "message"),
    [
        pytest.param(people(1, 11), EtlError, "the records of a page before", id="the same page"),
        pytest.param(people(9, 19), ListChanged, "2 records came more than once", id="records of the page before"),
        pytest.param(people(11, 22), EtlError, "does not page by pageLimit: 11 records", id="more than asked for"),
        pytest.param([*people(21, 26), *people(2, 3)], EtlError, "does not sort the list", id="in no order"),
    ],
)
def test_a_service_that_does_not_heed_what_it_is_asked_is_found_out(
    second: list[dict[str, Any]], kind: type[EtlError], message: str
) -> None:
    error = failure(in_turn(page_of(people(1, 11), 20), page_of(second, 20), page_of([], 20)))
    assert type(error) is kind
    assert message in str(error)


@pytest.mark.parametrize("place", [None, "here", {"at": 1}, []], ids=["none", "a text", "an object", "empty"])
def test_a_record_that_does_not_say_its_place_ends_the_list_only_where_it_is_the_last(place: object) -> None:
    unplaced = [*people(1, 10), {"id": 10, "sort": {"place": place}}]
    assert "the last of 10 records has no sort.place" in str(failure(in_turn(page_of(unplaced, 20))))
    with searching(in_turn(page_of(unplaced[1:], 9))) as (reader, _):
        assert len(read_all(reader, PEOPLE)[0]) == 9


def test_an_answer_without_a_count_is_not_taken_for_a_whole_list() -> None:
    error = failure(in_turn(json_answer({"found": people(1, 3)})))
    assert isinstance(error, UnreadableAnswer)
    assert "meta.total" in str(error)


def test_a_token_is_in_no_error() -> None:
    error = failure(in_turn(Answer(status=401, body=json.dumps({"message": f"no {SECRET}"}).encode())))
    assert "401 Unauthorized" in str(error)
    assert SECRET not in everything_in(error)


def test_a_body_without_paging_is_asked_once() -> None:
    table = replace(PEOPLE, endpoint=replace(PEOPLE.endpoint, paging=OnePage()))
    with searching(in_turn(page_of(people(1, 12), 11))) as (reader, server):
        assert len(read_all(reader, table)[0]) == 11
    assert [json.loads(asked.body)["place"] for asked in server.asked] == [PLACE]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"body": None}, "takes a body"),
        ({"envelope": Bare()}, "records beside their count"),
        ({"paging": NextLink(at="next")}, "paged by SearchAfter"),
    ],
)
def test_what_cannot_be_asked_is_refused_where_it_is_declared(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PEOPLE.endpoint, **changed)
