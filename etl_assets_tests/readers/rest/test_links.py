"""Pages that name the next one: what they give, and how a list that goes wrong is found out."""

import pytest

from etl_assets.declare.endpoints import NextLink
from etl_assets.errors import ListChanged, TransientError
from etl_assets.readers.rest import paging as paging_module
from etl_assets_tests.readers.rest.calls import SECRET, everything_in
from etl_assets_tests.readers.rest.shapes import (
    ITEM_LINKS,
    ITEMS,
    absolute,
    failure,
    linked,
    one_to,
    read_all,
    read_keys,
    records,
    relative,
    table,
)
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, in_turn, json_answer, stand_in


@pytest.mark.parametrize("count", [25, "25", None], ids=["a count", "a count in digits", "a null count"])
@pytest.mark.parametrize("last", [None, ""], ids=["a null link at the end", "an empty link at the end"])
def test_a_page_object_with_an_absolute_link_is_read_to_its_end(count, last) -> None:
    def page(asked: Asked, found: list, after: int | None) -> dict:
        return absolute(asked, found, after, Count=count, **({} if after else {"NextPageLink": last}))

    documents, _, server = read_all(linked(25, 10, page), table(ITEMS, ITEM_LINKS, parameters={"top": "10"}))
    assert [document.key for document in documents] == one_to(25)
    assert documents[24].raw == b'{"id": 25, "rate": 12.5}'
    assert [asked.query for asked in server.asked] == [{"top": "10"}, {"$skiptoken": "10"}, {"$skiptoken": "20"}]
    assert {asked.headers["Authorization"] for asked in server.asked} == {f"Key {SECRET}"}


@pytest.mark.parametrize(
    "link", ["visits?$skiptoken={}", "?$skiptoken={}", "/api/v1/visits?$skiptoken={}", "visits?$skiptoken={}#end"]
)
def test_a_relative_link_with_a_skiptoken_is_followed(link) -> None:
    def page(asked: Asked, found: list, after: int | None) -> dict:
        return relative(asked, found, after) | ({"@odata.nextLink": link.format(after)} if after else {})

    documents, _, server = read_all(linked(25, 10, page), table(parameters={"$select": "id"}))
    assert [document.key for document in documents] == one_to(25)
    assert [asked.path for asked in server.asked] == ["/api/v1/visits"] * 3
    assert [asked.query for asked in server.asked] == [
        {"$select": "id"},
        {"$skiptoken": "10"},
        {"$skiptoken": "20"},
    ]


def test_a_token_comes_back_as_it_was_given() -> None:
    link = "?$skiptoken=a%2Fb%20c%3D%3D'x'"
    first, second = {"value": records(1, 1), "@odata.nextLink": link}, {"value": records(2, 2)}
    _, _, server = read_all(in_turn(json_answer(first), json_answer(second)), table())
    assert server.asked[1].query == {"$skiptoken": "a/b c=='x'"}


def test_an_empty_page_with_a_link_does_not_end_the_list() -> None:
    pages = [
        {"value": [], "@odata.nextLink": "?$skiptoken=a"},
        {"value": [], "@odata.nextLink": "?$skiptoken=b"},
        {"value": records(1, 2)},
    ]
    assert read_keys(in_turn(*map(json_answer, pages)), table()) == one_to(2)


@pytest.mark.parametrize("at", ["links.next", "result.@odata.nextLink"])
def test_a_link_may_lie_deeper(at) -> None:
    outer, inner = at.split(".", 1)
    first, last = {"value": records(1, 2), outer: {inner: "?page=2"}}, {"value": records(3, 3)}
    assert read_keys(in_turn(json_answer(first), json_answer(last)), table(paging=NextLink(at=at))) == one_to(3)


@pytest.mark.parametrize("host", ["http://127.0.0.1:{port}", "http://localhost:{own}", "https://127.0.0.1:{own}"])
def test_a_link_to_another_host_is_not_followed(host) -> None:
    with stand_in(lambda _: json_answer({"value": []})) as other:

        def script(asked: Asked) -> Answer:
            own = asked.headers["Host"].rpartition(":")[2]
            link = host.format(port=other.server.server_port, own=own)
            return json_answer({"value": records(1, 1), "@odata.nextLink": f"{link}/api/v1/visits?x=1"})

        error = failure(script, table())
        assert other.asked == []
    assert not isinstance(error, TransientError)
    assert "which is not the service" in str(error)


@pytest.mark.parametrize("link", ["http://user:pw@{host}/api/v1/visits", "mailto:x@y", "http://[", "//x:y/"])
def test_a_link_that_is_no_address_of_the_service_is_not_followed(link) -> None:
    def script(asked: Asked) -> Answer:
        return json_answer({"value": records(1, 1), "@odata.nextLink": link.format(host=asked.headers["Host"])})

    error = failure(script, table())
    assert "which is not the service" in str(error)
    assert "pw" not in str(error)


def test_a_link_that_was_followed_before_ends_the_read() -> None:
    pages = [{"value": records(n, n), "@odata.nextLink": f"?$skiptoken={n % 2}"} for n in range(1, 9)]
    error = failure(in_turn(*map(json_answer, pages)), table())
    assert not isinstance(error, TransientError)
    assert "the page from 2 names a next page that was read before" in str(error)


def test_a_page_that_comes_again_by_another_link_ends_the_read() -> None:
    pages = [{"value": records(1, 2), "@odata.nextLink": f"?$skiptoken={n}"} for n in range(9)]
    error = failure(in_turn(*map(json_answer, pages)), table())
    assert not isinstance(error, TransientError)
    assert "the page from 2 has the records of a page before" in str(error)


def test_a_page_without_keys_that_comes_again_ends_the_read() -> None:
    pages = [{"value": [{"a": 1}], "@odata.nextLink": f"?$skiptoken={n}"} for n in range(9)]
    assert "has the records of a page before" in str(failure(in_turn(*map(json_answer, pages)), table()))


def test_pages_without_keys_that_differ_are_all_rejected() -> None:
    pages = [{"value": [{"a": n}], "@odata.nextLink": f"?$skiptoken={n}" if n < 3 else None} for n in range(4)]
    documents, rejected, _ = read_all(in_turn(*map(json_answer, pages)), table())
    assert documents == []
    assert [each.position for each in rejected] == [0, 1, 2, 3]


def test_a_list_without_end_is_ended(monkeypatch) -> None:
    monkeypatch.setattr(paging_module, "MAX_PAGES", 20)
    endless = linked(10**9, 1, relative)
    error = failure(endless, table(paging=NextLink(at="@odata.nextLink")))
    assert not isinstance(error, TransientError)
    assert "more than 20 pages" in str(error)
    assert read_keys(linked(20, 1, relative), table(paging=NextLink(at="@odata.nextLink"))) == one_to(20)


def test_a_record_that_comes_twice_is_a_change() -> None:
    pages = [{"value": records(1, 3), "@odata.nextLink": "?a=1"}, {"value": records(3, 5)}]
    error = failure(in_turn(*map(json_answer, pages)), table())
    assert isinstance(error, ListChanged)
    assert "1 records came more than once" in str(error)


@pytest.mark.parametrize("wrong", [24, 26])
def test_a_count_that_disagrees_is_not_believed(wrong) -> None:
    script = linked(25, 10, lambda *page: absolute(*page, Count=wrong))
    error = failure(script, table(ITEMS, ITEM_LINKS))
    assert isinstance(error, ListChanged)
    assert f"25 records came, and the last page counts {wrong}" in str(error)


def test_a_count_that_the_first_page_alone_says_is_held_against_what_came() -> None:
    error = failure(linked(24, 10, relative), table())
    assert isinstance(error, ListChanged)
    assert "24 records came, and the last page counts 25" in str(error)


def test_the_query_of_a_link_is_in_no_message() -> None:
    first = {"value": records(1, 1), "@odata.nextLink": "?$skiptoken=patient-7"}
    error = failure(in_turn(json_answer(first), json_answer({"message": "no"}, status=400)), table())
    assert "GET /api/v1/visits: the service refused it with 400" in str(error)
    assert "patient-7" not in everything_in(error)


def test_a_count_that_falls_is_a_change() -> None:
    script = linked(25, 10, lambda asked, found, after: absolute(asked, found, after, Count=25 if after else 24))
    error = failure(script, table(ITEMS, ITEM_LINKS))
    assert isinstance(error, ListChanged)
    assert "the list went from 25 records to 24" in str(error)


def test_a_page_that_is_broken_is_asked_for_again() -> None:
    whole, broken = linked(25, 10, relative), [Answer(body=b'{"value": [{"id"'), Answer(body=b"<html>")]

    def script(asked: Asked) -> Answer:
        return broken.pop() if broken and asked.query.get("$skiptoken") == "10" else whole(asked)

    documents, _, server = read_all(script, table())
    assert [document.key for document in documents] == one_to(25)
    assert len(server.asked) == 5


def test_a_record_without_a_key_costs_no_other_and_is_counted() -> None:
    first = {"value": [{"id": 1}, {"name": "nobody"}], "@odata.count": 4, "@odata.nextLink": "?a=1"}
    documents, rejected, _ = read_all(
        in_turn(json_answer(first), json_answer({"value": [{"id": None}, {"id": 4}]})), table()
    )
    assert [document.key for document in documents] == [(1,), (4,)]
    assert [(each.position, each.key, each.field, each.reason) for each in rejected] == [
        (1, None, "id", "it is missing"),
        (2, None, "id", "null is not a whole number that a bigint holds"),
    ]
