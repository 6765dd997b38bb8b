"""Lists of OData services: what is asked for, where a list ends, and how one that goes wrong is found out."""

import pytest

from etl_assets.declare.endpoints import Bare, Endpoint, OData, ODataList, Records
from etl_assets.errors import ListChanged, TransientError
from etl_assets.readers.rest import paging as paging_module
from etl_assets.readers.rest.client import RequestRejected
from etl_assets_tests.readers.rest.odata_service import ODataService, nested_table, odata_table, skips
from etl_assets_tests.readers.rest.shapes import failure, one_to, read_all, reading, records
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, in_turn, json_answer, stand_in


def keys_of(reader, declared, parent=None) -> list:
    return [document.key for page in reader.read(declared, parent=parent) for document in page.documents]


def read_skips(service, declared) -> list[int]:
    """From where the pages of a list were asked for, which came whole."""
    documents, rejected, server = read_all(service, declared)
    assert [document.key for document in documents] == one_to(service.total)
    assert rejected == []
    return sorted(skips(server))


def test_a_list_is_asked_for_in_odata_s_words() -> None:
    declared = odata_table(1000, order_by=("study/id", "id desc"), parameters={"$filter": "active eq true"})
    _, _, server = read_all(ODataService(3, counts=True), declared)
    assert [asked.query for asked in server.asked] == [
        {
            "$filter": "active eq true",
            "$top": "1000",
            "$skip": "0",
            "$orderby": "study/id,id desc",
            "$count": "true",
        }
    ]


def test_an_order_and_a_count_that_are_not_declared_are_not_asked_for() -> None:
    _, _, server = read_all(ODataService(0), odata_table(order_by=(), count=False))
    assert [asked.query for asked in server.asked] == [{"$top": "10", "$skip": "0"}]


# Where a list ends.


@pytest.mark.parametrize("form", ["value", "Items", "items", "array"])
@pytest.mark.parametrize("total", [1, 9, 10, 11, 25, 30])
def test_without_count_and_link_a_list_is_read_until_a_page_is_empty(total, form) -> None:
    assert read_skips(ODataService(total, form=form), odata_table()) == [*range(0, total, 10), total]


def test_an_empty_list_costs_one_request() -> None:
    assert read_skips(ODataService(0), odata_table()) == [0]


@pytest.mark.parametrize("links", ["", "skip", "skiptoken"])
@pytest.mark.parametrize("total", [0, 1, 9])
def test_a_list_of_one_page_that_is_counted_costs_one_request(total, links) -> None:
    assert read_skips(ODataService(total, counts=True, links=links), odata_table()) == [0]


def test_a_count_that_is_that_of_a_full_page_is_not_taken_for_the_list_s() -> None:
    assert read_skips(ODataService(10, counts=True), odata_table()) == [0, 10]
    service = ODataService(25)
    service.page = lambda found, *_: json_answer({"Items": found, "Count": len(found)})
    assert isinstance(failure(service, odata_table()), ListChanged)


def test_a_counted_list_is_asked_for_to_its_end_and_no_further() -> None:
    assert read_skips(ODataService(30, counts=True), odata_table()) == [0, 10, 20]
    assert read_skips(ODataService(31, counts=True), odata_table(order_by=())) == [0, 10, 20, 30]


def test_a_short_page_ends_a_list_where_others_of_the_table_were_longer() -> None:
    """Of lists of 1 to 30 records, in an order by chance, only those cost a second request that are longest so far."""
    sizes = [4, 0, 7, 7, 3, 12, 5, 1, 12, 11, 30, 29, 30]
    with reading(lambda asked: ODataService(sizes[int(asked.path.split("/")[4])])(asked)) as (reader, server):
        for study, size in enumerate(sizes):
            found = keys_of(reader, nested_table(), {"id": study})
            assert found == [(study, number) for (number,) in one_to(size)]
    second = [int(asked.path.split("/")[4]) for asked in server.asked if asked.query["$skip"] != "0"]
    assert [sizes[study] for study in second] == [4, 7, 7, 12, 12, 30, 30]


def test_a_page_as_long_as_the_longest_is_followed_for_the_server_may_cap_there() -> None:
    sizes = [20, 50, 20, 20]
    with reading(lambda asked: ODataService(sizes[int(asked.path.split("/")[4])], cap=20)(asked)) as (reader, server):
        found = [len(keys_of(reader, nested_table(), {"id": study})) for study in range(4)]
    assert found == sizes
    assert len(server.asked) == 2 + 4 + 2 + 2


def test_lists_of_different_endpoints_say_nothing_of_each_other() -> None:
    with reading(lambda asked: ODataService(30 if asked.path.endswith("long") else 10)(asked)) as (reader, server):
        assert len(keys_of(reader, odata_table(100, path="long"))) == 30
        assert len(keys_of(reader, odata_table(100, path="short"))) == 10
    assert skips(server) == [0, 30, 0, 10]


def test_a_server_that_cuts_pages_by_bytes_is_read_to_an_empty_page() -> None:
    """Its pages are of 20, 30, 25 and so on: none of them ends a list because another was longer."""
    caps = {0: 20, 20: 30, 50: 25, 75: 10, 85: 40}
    service = ODataService(100, cap=lambda offset: caps.get(offset, 40))
    with reading(service) as (reader, server):
        assert keys_of(reader, odata_table(50)) == one_to(100)
        assert skips(server) == [0, 20, 50, 75, 85, 100]
        service.total = 15
        assert keys_of(reader, odata_table(50)) == one_to(15)
        assert skips(server)[6:] == [0, 15], "and nor do they in other lists"


def test_a_page_that_holds_all_of_top_says_nothing_of_the_end() -> None:
    """50 records were asked for; with its third page, of 10, all of them came, and there are more."""
    service = ODataService(120, cap=20, links="skip")
    assert read_skips(service, odata_table(50)) == [0, 20, 40, 50, 70, 90, 100, 120]


# Links.


@pytest.mark.parametrize("links", ["skip", "skiptoken"])
@pytest.mark.parametrize("host", ["", "http://{host}"])
@pytest.mark.parametrize("total", [25, 40, 41])
def test_links_are_followed_while_there_are_any(links, host, total) -> None:
    def script(asked: Asked) -> Answer:
        return ODataService(total, cap=7, links=links, host=host.format(host=asked.headers["Host"]))(asked)

    documents, _, server = read_all(script, odata_table(1000))
    assert [document.key for document in documents] == one_to(total)
    assert skips(server)[: total // 7 + 1] == [*range(0, total + 1, 7)]
    assert f"${links}" in server.asked[1].query


def test_a_server_whose_links_go_on_beyond_top_is_followed() -> None:
    """It takes `$top` for the size of a page."""
    service = ODataService(35, links="skip", counts=False)

    def script(asked: Asked) -> Answer:
        skip, top = int(asked.query["$skip"]), int(asked.query["$top"])
        end = min(skip + top, 35)
        return service.page(records(skip + 1, end), f"?$skip={end}&$top=10" if end < 35 else None, is_counted=False)

    documents, _, server = read_all(script, odata_table())
    assert [document.key for document in documents] == one_to(35)
    assert skips(server) == [0, 10, 20, 30, 35]


def test_an_empty_page_with_a_link_does_not_end_a_list() -> None:
    pages = [
        {"value": [], "@odata.nextLink": "?$skiptoken=a"},
        {"value": records(1, 2), "@odata.nextLink": "?$skiptoken=b"},
        {"value": []},
        {"value": []},
    ]
    documents, _, server = read_all(in_turn(*map(json_answer, pages)), odata_table())
    assert [document.key for document in documents] == one_to(2)
    assert [asked.query.get("$skip") for asked in server.asked] == ["0", None, None, "2"]


def test_a_link_out_of_the_service_is_not_followed() -> None:
    with stand_in(lambda _: json_answer([])) as other:
        error = failure(ODataService(25, cap=7, links="skip", host=other.url), odata_table())
        assert other.asked == []
    assert not isinstance(error, TransientError)
    assert "which is not the service" in str(error)


@pytest.mark.parametrize("count", [None, 1000])
def test_links_in_a_circle_end_the_read(count) -> None:
    pages = [
        {"value": records(n, n), "@odata.count": count, "@odata.nextLink": f"?$skiptoken={n % 2}"} for n in range(1, 9)
    ]
    error = failure(in_turn(*map(json_answer, pages)), odata_table())
    assert not isinstance(error, TransientError)
    assert "the page from 2 names a next page that was read before" in str(error)


def test_links_without_end_are_ended(monkeypatch) -> None:
    monkeypatch.setattr(paging_module, "MAX_PAGES", 20)

    def script(asked: Asked) -> Answer:
        link = f"?$skiptoken={int(asked.query.get('$skiptoken', 0)) + 1}"
        return json_answer({"value": [], "@odata.count": 5, "@odata.nextLink": link})

    error = failure(script, odata_table())
    assert not isinstance(error, TransientError)
    assert "more than 20 pages" in str(error)


def test_links_without_end_in_the_middle_of_a_counted_list_are_ended(monkeypatch) -> None:
    monkeypatch.setattr(paging_module, "MAX_PAGES", 20)
    service = ODataService(40, counts=True)

    def script(asked: Asked) -> Answer:
        if asked.query.get("$skip") in {"0", "20", "30"}:
            return service(asked)
        link = f"?$skiptoken={int(asked.query.get('$skiptoken', 0)) + 1}"
        return json_answer({"Items": [], "Count": 40, "NextPageLink": link})

    error = failure(script, odata_table())
    assert not isinstance(error, TransientError)
    assert "more than 20 pages" in str(error)


# Pages in parallel.


def test_pages_of_a_counted_list_in_order_are_fetched_at_once() -> None:
    documents, _, server = read_all(ODataService(400, counts=True, after=0.05), odata_table())
    assert [document.key for document in documents] == one_to(400)
    assert server.most_at_once == 6
    assert sorted(skips(server)) == [*range(0, 400, 10)]
    assert server.times()[-1] - server.times()[0] < 40 * 0.05 / 2


@pytest.mark.parametrize(
    ("service", "declared"),
    [
        pytest.param(ODataService(60, counts=True, after=0.02), odata_table(order_by=()), id="without an order"),
        pytest.param(ODataService(60, after=0.02), odata_table(), id="without a count"),
        pytest.param(ODataService(60, counts=True, cap=10, links="skiptoken"), odata_table(60), id="by token"),
        pytest.param(ODataService(60, counts=True, rejects=["$orderby"]), odata_table(), id="no order is offered"),
    ],
)
def test_pages_that_may_move_or_are_not_known_are_fetched_one_by_one(service, declared) -> None:
    documents, _, server = read_all(service, declared)
    assert [document.key for document in documents] == one_to(60)
    assert server.most_at_once == 1


def test_pages_that_the_server_caps_are_fetched_at_once_by_what_it_gives() -> None:
    for links in ("", "skip"):
        documents, _, server = read_all(ODataService(210, counts=True, cap=7, links=links, after=0.02), odata_table(50))
        assert [document.key for document in documents] == one_to(210)
        assert sorted(skips(server)) == [*range(0, 210, 7)]
        assert {asked.query["$top"] for asked in server.asked[1:]} == {"7"}
        assert server.most_at_once == 6


@pytest.mark.parametrize("links", ["", "skip", "skiptoken"])
def test_a_page_in_the_middle_that_is_shorter_than_the_first_is_completed(links) -> None:
    def cap(offset: int) -> int:
        return 3 if offset in {20, 23} else 10

    service = ODataService(45, counts=True, cap=cap, links=links)
    assert read_skips(service, odata_table()) == [0, 10, 20, 23, 26, 30, 40]


def test_a_list_that_grows_while_it_is_read_is_read_to_its_new_end() -> None:
    service = ODataService(40, counts=True)

    def script(asked: Asked) -> Answer:
        service.total = 55 if asked.query["$skip"] != "0" else 40
        return service(asked)

    documents, _, _ = read_all(script, odata_table())
    assert [document.key for document in documents] == one_to(55)


# What a server does wrong.


@pytest.mark.parametrize(("total", "counts"), [(5, False), (25, False), (25, True)])
def test_a_server_that_ignores_skip_is_found_out(total, counts) -> None:
    error = failure(ODataService(total, counts=counts, ignores=["$skip"]), odata_table())
    assert not isinstance(error, TransientError)
    assert "the service does not page by $skip" in str(error)
    assert "declare OnePage()" in str(error)


def test_a_later_page_that_is_not_there_does_not_say_that_the_endpoint_is_not_offered() -> None:
    service = ODataService(40)

    def script(asked: Asked) -> Answer:
        return Answer(status=404, body=b"{}") if asked.query["$skip"] != "0" else service(asked)

    error = failure(script, odata_table())
    assert not isinstance(error, RequestRejected)
    assert "The first page of the list was answered" in str(error)


def test_an_array_that_is_given_at_once_whatever_is_asked_for_ends_when_it_comes_again() -> None:
    documents, _, server = read_all(lambda _: json_answer(records(1, 5)), odata_table())
    assert [document.key for document in documents] == one_to(5)
    assert len(server.asked) == 2


def test_a_server_that_ignores_top_is_found_out_unless_all_has_come() -> None:
    error = failure(ODataService(25, ignores=["$top"]), odata_table())
    assert not isinstance(error, TransientError)
    assert "the service does not page by $top: 25 records came where 10 were asked for" in str(error)
    assert read_skips(ODataService(25, ignores=["$top"], counts=True), odata_table()) == [0, 25]


@pytest.mark.parametrize("counts", [True, False])
def test_a_page_that_comes_again_is_found_out(counts) -> None:
    service = ODataService(60, counts=counts)

    def script(asked: Asked) -> Answer:
        asked.query["$skip"] = "20" if asked.query["$skip"] == "40" else asked.query["$skip"]
        return service(asked)

    error = failure(script, odata_table())
    assert not isinstance(error, TransientError)
    assert "the page from 40 has the records of a page before" in str(error)


@pytest.mark.parametrize("order_by", [("id",), ("id desc",)])
@pytest.mark.parametrize("counts", [True, False])
def test_pages_in_another_order_than_asked_for_are_found_out(counts, order_by) -> None:
    down = order_by == ("id desc",)
    service = ODataService(60, counts=counts, make=lambda number: {"id": 61 - number if down else number})

    def script(asked: Asked) -> Answer:
        swapped = {"20": "40", "40": "20"}
        asked.query["$skip"] = swapped.get(asked.query["$skip"], asked.query["$skip"])
        return service(asked)

    error = failure(script, odata_table(order_by=order_by))
    assert not isinstance(error, TransientError)
    assert "the page from 30 is not in the order that was asked for" in str(error)


def test_a_server_that_heeds_no_order_is_read_page_by_page() -> None:
    service = ODataService(60, counts=True, make=lambda number: {"id": 61 - number})
    documents, _, server = read_all(service, odata_table())
    assert sorted(document.key for document in documents) == one_to(60)
    assert server.most_at_once == 1


def test_records_that_move_between_pages_are_a_change() -> None:
    service = ODataService(60)

    def script(asked: Asked) -> Answer:
        service.make = lambda number: {"id": number - 2 if asked.query["$skip"] != "0" else number}
        return service(asked)

    error = failure(script, odata_table())
    assert isinstance(error, ListChanged)
    assert "2 records came more than once" in str(error)


@pytest.mark.parametrize("order_by", [(), ("id",)])
def test_a_count_that_falls_is_a_change(order_by) -> None:
    service = ODataService(60, counts=True)

    def script(asked: Asked) -> Answer:
        service.total = 59 if asked.query["$skip"] == "50" else 60
        return service(asked)

    error = failure(script, odata_table(order_by=order_by))
    assert isinstance(error, ListChanged)
    assert "the list went from 60 records to 59" in str(error)


def test_a_list_that_is_another_and_shorter_by_now_is_a_change_and_no_mistake_of_the_server_s() -> None:
    service = ODataService(60, counts=True)

    def script(asked: Asked) -> Answer:
        first = int(asked.query["$skip"])
        service.total, service.make = (60 if first < 30 else 50), lambda number: {"id": number - 1000 * (first >= 30)}
        return service(asked)

    with reading(script, connections=1) as (reader, _), pytest.raises(ListChanged, match="from 60 records to 50"):
        keys_of(reader, odata_table())


@pytest.mark.parametrize("order_by", [(), ("id",)])
def test_a_count_that_is_too_high_is_found_out(order_by) -> None:
    service = ODataService(45)
    service.page = lambda found, *_: json_answer({"Items": found, "Count": 61})
    error = failure(service, odata_table(order_by=order_by))
    assert not isinstance(error, TransientError)
    assert "the service counts 61 records, and its page from" in str(error)


def test_a_count_that_is_too_low_for_what_came_is_not_believed() -> None:
    service = ODataService(45, counts=True, cap=10, links="skip")
    service.page = lambda found, link, _: json_answer({"Items": found, "Count": 10, "NextPageLink": link})
    assert isinstance(failure(service, odata_table(45)), ListChanged)


# What a server does not offer.


@pytest.mark.parametrize("rejects", [["$orderby"], ["$count"], ["$orderby", "$count"]])
def test_what_a_server_rejects_is_done_without_from_then_on(rejects) -> None:
    with reading(ODataService(25, counts=True, rejects=rejects)) as (reader, server):
        assert keys_of(reader, odata_table()) == one_to(25)
        first = len(server.asked)
        assert keys_of(reader, odata_table()) == one_to(25)
    for asked in server.asked[first:]:
        assert {"$orderby", "$count"} - asked.query.keys() == set(rejects)


def test_a_rejection_that_is_for_something_else_is_told_as_it_was() -> None:
    rejected = [json_answer({"message": text}, status=400) for text in ("no such filter", "neither")]
    with reading(in_turn(*rejected)) as (reader, server):
        with pytest.raises(RequestRejected, match="no such filter"):
            keys_of(reader, odata_table())
        assert len(server.asked) == 4
        with pytest.raises(RequestRejected):
            keys_of(reader, odata_table())
    assert {"$orderby", "$count"} <= server.asked[4].query.keys(), "and it is asked for again"


@pytest.mark.parametrize("status", [403, 404, 501])
def test_another_rejection_is_not_asked_again(status) -> None:
    with reading(lambda _: json_answer({}, status=status)) as (reader, server), pytest.raises(RequestRejected):
        keys_of(reader, odata_table())
    assert len(server.asked) == 1


def test_without_order_a_record_that_comes_twice_is_a_change() -> None:
    service = ODataService(25, rejects=["$orderby"], make=lambda number: {"id": 3 if number == 20 else number})
    assert isinstance(failure(service, odata_table()), ListChanged)


# Declarations.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OData(size=0), "a page has a record at least"),
        (lambda: OData(order_by="id"), "order_by is a tuple"),
        (lambda: Endpoint(path="x", envelope=Records(at="value"), paging=OData()), "goes with ODataList"),
        (lambda: Endpoint(path="x", envelope=Bare(), paging=OData()), "goes with ODataList"),
        (
            lambda: Endpoint(path="x", envelope=ODataList(), paging=OData(), parameters={"$top": "5"}),
            r"\$top is said by OData",
        ),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_declared(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
