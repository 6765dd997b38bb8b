import json
import threading
import time
import tracemalloc
from datetime import date, timedelta

import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.document_reader import Document, RejectedRecord
from etl_assets.declare.rest import RestTable, Window
from etl_assets.errors import EtlError, ListChanged, TransientError, UnconfirmedDeletion
from etl_assets.readers.cancellation import Cancelled
from etl_assets.readers.rest.client import HttpClient, RequestRejected
from etl_assets.readers.rest.reader import RestReader
from etl_assets_tests.readers.rest.services import (
    CLIENTS,
    SHIFTS,
    Service,
    clients,
    failure,
    listed,
    offsets,
    pages_of,
    read_all,
)
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, json_answer, stand_in

MAY = Span(date(2025, 5, 2), date(2025, 5, 29))


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 95])
def test_every_record_comes_once_in_order_as_the_services_own_bytes(count) -> None:
    records = clients(count)
    with pages_of(Service(records)) as (reader, server):
        documents, rejected = read_all(reader)
        again, _ = read_all(reader)
    assert documents == again == [Document((key,), None, raw) for key, raw in enumerate(records, 1)]
    assert rejected == []
    assert offsets(server) == sorted([*range(0, max(count, 1), 10)] * 2), "and no page is asked for that is not there"


def test_an_empty_list_gives_no_page() -> None:
    with pages_of(Service([])) as (reader, _):
        assert list(reader.read(CLIENTS)) == []


def test_a_list_is_asked_for_as_its_endpoint_says() -> None:
    with stand_in(Service(clients(3))) as server:
        reader = RestReader(HttpClient(server.url), headers={"TTC-Region-Filter": "7,8"})
        read_all(reader)
        reader.find(CLIENTS, (2,))
        reader.close()
    listed, found = server.asked
    assert (listed.path, listed.query) == (
        "/clients",
        {"includeInactive": "true", "include": "address", "fields": "id,name", "limit": "1000", "offset": "0"},
    )
    assert (found.path, found.query) == ("/clients/2", {"include": "address", "fields": "id,name"})
    assert {asked.headers["TTC-Region-Filter"] for asked in server.asked} == {"7,8"}


def test_pages_are_fetched_at_once() -> None:
    with pages_of(Service(clients(400), after=0.05), connections=6) as (reader, server):
        documents, _ = read_all(reader)
    assert len(documents) == 400
    assert len(server.asked) == 40
    assert server.most_at_once == 6
    assert server.times()[-1] - server.times()[0] < 40 * 0.05 / 2


def test_pages_that_overtake_each_other_are_put_in_order() -> None:
    service = Service(clients(200))

    def script(asked: Asked) -> Answer:
        answer = service(asked)
        answer.after = 0.1 if int(asked.query["offset"]) % 40 == 0 else 0
        return answer

    with pages_of(script) as (reader, _):
        assert [document.key for document in read_all(reader)[0]] == [(key,) for key in range(1, 201)]


def test_no_more_pages_are_fetched_than_are_soon_wanted() -> None:
    with pages_of(Service(clients(1000)), connections=3) as (reader, server):
        pages = reader.read(CLIENTS)
        for taken in range(1, 5):
            assert len(next(pages).documents) == 10
            time.sleep(0.1)
            assert len(server.asked) <= 2 * 3 + taken
        pages.close()
        assert len(server.asked) < 15


def test_memory_does_not_grow_with_the_list() -> None:
    size = 100_000
    records = [b'{"id": %d, "note": "%s"}' % (key, b"x" * size) for key in range(300)]
    with pages_of(Service(records), limit=5, connections=2) as (reader, _):
        tracemalloc.start()
        try:
            for page in reader.read(CLIENTS):
                assert len(page.documents) == 5
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # Four pages and one in hand; two on their way, in four copies here and in the server, which is of this process.
    assert most < size * 5 * (4 + 1 + 2 * 4)
    assert most < size * 300 / 4


def test_leaving_a_read_early_stops_its_threads() -> None:
    service = Service(clients(100))
    waits = Answer(status=503, headers={"Retry-After": "5"})
    with pages_of(lambda asked: waits if asked.query["offset"] == "50" else service(asked)) as (reader, server):
        before = set(threading.enumerate())
        pages = reader.read(CLIENTS)
        next(pages)
        time.sleep(0.1)
        fetching = {thread for thread in threading.enumerate() if thread.name.startswith("prefetch")} - before
        assert fetching
        began = time.monotonic()
        pages.close()
        for thread in fetching:
            thread.join(timeout=4)
            assert not thread.is_alive()
        assert time.monotonic() - began < 1
        asked = len(server.asked)
        time.sleep(0.2)
        assert len(server.asked) == asked


def test_a_reader_is_of_use_after_a_read_that_was_left() -> None:
    with pages_of(Service(clients(100))) as (reader, _):
        pages = reader.read(CLIENTS)
        next(pages)
        pages.close()
        assert len(read_all(reader)[0]) == 100
        assert reader.find(CLIENTS, (1,))


def test_closing_the_reader_ends_a_read_under_way() -> None:
    with pages_of(lambda asked: Answer(status=503, headers={"Retry-After": "8"})) as (reader, _):
        threading.Timer(0.2, reader.close).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            read_all(reader)
        assert time.monotonic() - began < 2


def test_a_page_that_is_broken_is_asked_for_again() -> None:
    service = Service(clients(100))
    broken = [
        Answer(body=b'{"meta": {"count": 100}, "data": [{"id": 1}'),
        Answer(body=b'{"meta": {"count": 100, "note": "\xff"}, "data": [{"id": 1}]}'),
        Answer(body=b"<html>busy</html>"),
    ]

    def script(asked: Asked) -> Answer:
        return broken.pop() if asked.query["offset"] == "30" and broken else service(asked)

    with pages_of(script) as (reader, server):
        assert len(read_all(reader)[0]) == 100
    assert offsets(server).count(30) == 4


def test_a_page_that_stays_broken_is_transient() -> None:
    service = Service(clients(100))
    error = failure(lambda asked: Answer(body=b"{") if asked.query["offset"] == "30" else service(asked))
    assert isinstance(error, TransientError)
    assert not isinstance(error, ListChanged)
    assert "4 tries" in str(error)


def test_a_refusal_of_one_page_ends_the_read_without_the_others() -> None:
    service = Service(clients(500), after=0.01)
    rejected = json_answer({"message": "Unknown field q"}, status=400)
    with pages_of(lambda asked: rejected if asked.query["offset"] == "40" else service(asked)) as (reader, server):
        with pytest.raises(RequestRejected, match="Unknown field q"):
            read_all(reader)
        assert len(server.asked) < 25


def shift(key: int, day: date) -> bytes:
    return json.dumps({"id": key, "startDateTime": f"{day}T23:30:00-04:00"}).encode()


class Shifts(Service):
    """Shifts, one a day, by the window that is asked for."""

    def __init__(self, *, beyond: timedelta = timedelta(0)) -> None:
        super().__init__([])
        self.beyond = beyond

    def __call__(self, asked: Asked) -> Answer:
        first, last = map(date.fromisoformat, asked.query["startDateTime:between"].split("|"))
        first, last = first - self.beyond, last + self.beyond
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        with self.lock:
            self.records = [shift(day.toordinal(), day) for day in days]
            return self.page(int(asked.query["offset"]), int(asked.query["limit"]))


def test_a_window_is_asked_for_with_its_pad() -> None:
    with pages_of(Shifts(), limit=100) as (reader, server):
        documents, _ = read_all(reader, SHIFTS, Span(date(2025, 5, 2), date(2025, 5, 15)))
    assert server.asked[0].query == {
        "includeInactive": "true",
        "startDateTime:between": "2025-05-01|2025-05-16",
        "limit": "100",
        "offset": "0",
    }
    assert [document.slice for document in documents] == [date(2025, 5, day) for day in range(1, 17)]


def with_load(**options) -> RestTable:
    endpoint = {"path": "shifts", "window": "startDateTime:between", "longest": timedelta(days=40), **options}
    pad = endpoint.pop("pad", timedelta(days=1))
    return RestTable(
        name="shifts",
        key="id",
        load=Window(slice_by="startDateTime", pad=pad),
        endpoint=listed(**endpoint),
    )


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        pytest.param({"pad": timedelta(0)}, ["2025-05-02|2025-05-29"], id="without a pad"),
        pytest.param({"pad": timedelta(hours=25)}, ["2025-04-30|2025-05-31"], id="a pad of more than a day is two"),
        pytest.param(
            {"longest": timedelta(days=14)},
            ["2025-05-01|2025-05-14", "2025-05-15|2025-05-28", "2025-05-29|2025-05-30"],
            id="cut into what is allowed",
        ),
        pytest.param({"longest": timedelta(days=30)}, ["2025-05-01|2025-05-30"], id="just allowed"),
        pytest.param(
            {"longest": timedelta(days=29)}, ["2025-05-01|2025-05-29", "2025-05-30|2025-05-30"], id="a day too long"
        ),
    ],
)
def test_a_window_is_cut_into_what_the_service_allows(options, asked) -> None:
    with pages_of(Shifts(), limit=5) as (reader, server):
        documents, _ = read_all(reader, with_load(**options), MAY)
    assert sorted({each.query["startDateTime:between"] for each in server.asked}) == asked
    days = [document.slice for document in documents]
    assert days == sorted(set(days))
    assert len(days) == (days[-1] - days[0]).days + 1


def test_a_record_that_comes_in_two_pieces_of_a_window_is_a_change() -> None:
    error = failure(Shifts(beyond=timedelta(days=1)), with_load(longest=timedelta(days=14)), MAY, limit=100)
    assert isinstance(error, ListChanged)


def test_records_that_always_come_in_two_pieces_of_a_window_are_kept_once() -> None:
    """The service cuts days elsewhere than the site does, so that each piece has a day of the next one."""
    declared = with_load(longest=timedelta(days=14))
    with pages_of(Shifts(beyond=timedelta(days=1)), limit=100) as (reader, _):
        with pytest.raises(ListChanged, match="4 records came more than once"):
            read_all(reader, declared, MAY)
        documents, rejected = read_all(reader, declared, MAY)
    days = [document.slice for document in documents]
    assert days == sorted(set(days))
    assert (days[0], days[-1]) == (date(2025, 4, 30), date(2025, 5, 31))
    assert len(rejected) == 4


def test_a_day_beyond_the_window_is_the_services_own_midnight() -> None:
    with pages_of(Shifts(beyond=timedelta(days=1)), limit=100) as (reader, _):
        documents, _ = read_all(reader, SHIFTS, Span(date(2025, 5, 2), date(2025, 5, 15)))
    assert [documents[0].slice, documents[-1].slice] == [date(2025, 4, 30), date(2025, 5, 17)]


def test_a_service_that_ignores_the_window_is_found_out() -> None:
    error = failure(Shifts(beyond=timedelta(days=2)), SHIFTS, Span(date(2025, 5, 2), date(2025, 5, 15)), limit=100)
    assert not isinstance(error, TransientError)
    assert "asked for startDateTime:between=2025-05-01|2025-05-16, the service gave a record of 2025-04-29" in str(
        error
    )
    assert "shifts" in str(error)


@pytest.mark.parametrize(
    ("table", "window", "message"),
    [
        pytest.param(SHIFTS, None, "read by window", id="no window"),
        pytest.param(SHIFTS, Span(MAY.last, MAY.first), "from a first date to a last", id="the wrong way round"),
        pytest.param(CLIENTS, MAY, "read whole", id="a window for what has none"),
        pytest.param(with_load(longest=timedelta(hours=3)), MAY, "a day is the shortest", id="no day fits"),
    ],
)
def test_a_window_is_for_tables_that_have_one(table, window, message) -> None:
    with pages_of(Service([])) as (reader, server):
        with pytest.raises(EtlError, match=message):
            read_all(reader, table, window)
        assert server.asked == []


def test_records_that_cannot_be_kept_do_not_cost_the_others() -> None:
    records = clients(30)
    records[4] = b'{"id": 5, "name": "nul \\u0000"}'
    records[17] = b'{"name": "nobody"}'
    records[29] = b'{"id": 30, "name": "half \\ud83d"}'
    with pages_of(Service(records)) as (reader, _):
        documents, rejected = read_all(reader)
    assert [document.key for document in documents] == [(key,) for key in range(1, 30) if key not in {5, 18}]
    assert [(each.position, each.key, each.field) for each in rejected] == [
        (4, (5,), None),
        (17, None, "id"),
        (29, (30,), None),
    ]


def test_places_count_through_all_pieces_of_a_window() -> None:
    class WithoutDate(Shifts):
        def page(self, offset: int, limit: int, **meta: object) -> Answer:
            self.records[-1] = b'{"id": %d}' % json.loads(self.records[-1])["id"]
            return super().page(offset, limit, **meta)

    with pages_of(WithoutDate(), limit=5) as (reader, _):
        _, rejected = read_all(reader, with_load(longest=timedelta(days=10)), MAY)
    assert [each.position for each in rejected] == [9, 19, 29]


def test_one_record_is_found_by_its_id() -> None:
    records = [shift(7, MAY.first)]
    with pages_of(Service(records)) as (reader, server):
        assert reader.find(SHIFTS, (7,)) == Document((7,), MAY.first, records[0])
        assert reader.find(SHIFTS, (8,)) is None
    assert [(asked.path, asked.query) for asked in server.asked] == [("/rest/shifts/7", {}), ("/rest/shifts/8", {})]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(Answer(body=b'{"data": {"id": 8}}'), "clients 7: the service gave record 8", id="another"),
        pytest.param(Answer(body=b'{"data": {}}'), "clients 7: .*a record without a key", id="no record"),
        pytest.param(Answer(body=b'{"message": "x"}'), "not of the form data", id="no data"),
        pytest.param(Answer(status=403), "403", id="refused"),
    ],
)
def test_a_record_that_is_not_the_one_asked_for_is_refused(answer, message) -> None:
    with pages_of(lambda _: answer) as (reader, _), pytest.raises(EtlError, match=message) as raised:
        reader.find(CLIENTS, (7,))
    assert not isinstance(raised.value, TransientError)


def test_a_record_that_cannot_be_asked_for_is_not_said_to_be_gone() -> None:
    with pages_of(lambda _: Answer(status=503)) as (reader, _), pytest.raises(TransientError):
        reader.find(CLIENTS, (7,))


def test_a_table_with_many_keys_is_read_by_all_of_them() -> None:
    double = RestTable(name="pairs", key=("a", "b"), load=CLIENTS.load, endpoint=listed(path="x"))
    records = [b'{"a": 1, "b": 1}', b'{"a": 1, "b": 2}', b'{"a": 1}']
    with pages_of(Service(records)) as (reader, _):
        documents, rejected = read_all(reader, double)
    assert [document.key for document in documents] == [(1, 1), (1, 2)]
    assert [(each.key, each.field) for each in rejected] == [(None, "b")]


def test_a_gateway_s_404_is_no_deletion() -> None:
    page = Answer(status=404, body=b"<html>404 Not Found</html>", headers={"Content-Type": "text/html"})
    with pages_of(lambda _: page) as (reader, server), pytest.raises(UnconfirmedDeletion, match="GET clients/7"):
        reader.find(CLIENTS, (7,))
    assert len(server.asked) == 1


@pytest.mark.parametrize("value", [rb'"\u0000"', rb'"\udc00"', b"NaN"])
def test_a_record_that_cannot_be_kept_is_found_and_rejected(value) -> None:
    body = b'{"data": {"id": 7, "a": ' + value + b"}}"
    with pages_of(lambda _: Answer(body=body)) as (reader, _):
        found = reader.find(CLIENTS, (7,))
    assert isinstance(found, RejectedRecord)
    assert found.key == (7,)


def test_a_list_behind_a_byte_order_mark_is_read() -> None:
    service = Service(clients(25))

    def script(asked: Asked) -> Answer:
        answer = service(asked)
        answer.body = b"\xef\xbb\xbf" + answer.body
        return answer

    with pages_of(script) as (reader, _):
        assert [document.raw for document in read_all(reader)[0]] == clients(25)
