import tracemalloc

import pytest

from etl_assets.declare.document_reader import Document
from etl_assets.errors import EtlError, ListChanged, TransientError
from etl_assets.readers.rest import completeness
from etl_assets.readers.rest.records import REPEATED
from etl_assets_tests.readers.rest.services import Service, clients, failure, offsets, pages_of, read_all
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, json_answer


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[]", id="a bare array"),
        pytest.param(b'[{"id": 1}]', id="a bare array of records"),
        pytest.param(b'{"data": []}', id="no meta"),
        pytest.param(b'{"meta": [], "data": []}', id="meta is no object"),
        pytest.param(b'{"meta": {"limit": 10}, "data": []}', id="no count"),
        pytest.param(b'{"meta": {"count": null}, "data": []}', id="a null count"),
        pytest.param(b'{"meta": {"count": "many"}, "data": []}', id="a count that is none"),
        pytest.param(b'{"meta": {"count": 1}}', id="no data"),
        pytest.param(b'{"meta": {"count": 1}, "data": {"id": 1}}', id="data is no list"),
    ],
)
def test_a_list_without_its_count_is_not_believed(body) -> None:
    error = failure(lambda _: Answer(body=body))
    assert not isinstance(error, TransientError)
    assert "clients" in str(error)
    assert "Without a count" in str(error)


def test_a_record_nested_without_end_is_an_error_and_no_crash() -> None:
    nest = b'{"meta": {"count": 1}, "data": [{"id": 1, "a": ' + b"[" * 5000 + b"]" * 5000 + b"}]}"
    error = failure(lambda _: Answer(body=nest))
    assert not isinstance(error, TransientError)
    assert "GET clients: the answer is nested too deep to be read" in str(error)


def test_a_count_may_be_a_string_of_digits() -> None:
    with pages_of(lambda _: Answer(body=b'{"data": [{"id": "007"}], "meta": {"count": "1"}}')) as (reader, _):
        assert read_all(reader)[0] == [Document((7,), None, b'{"id": "007"}')]


class Changing(Service):
    """A list to which something happens before the answer to a page is made."""

    def __init__(self, changes: dict[int, object], count: int = 50) -> None:
        super().__init__(clients(count))
        self.changes = changes

    def page(self, offset: int, limit: int, **meta: object) -> Answer:
        self.changes.pop(offset, lambda: None)()
        return super().page(offset, limit, **meta)


@pytest.mark.parametrize(
    ("at", "change"),
    [
        pytest.param(20, lambda records: records.pop(3), id="a record before the reader is deleted"),
        pytest.param(20, lambda records: records.pop(35), id="a record after the reader is deleted"),
        pytest.param(40, lambda records: records.pop(), id="the last is deleted"),
        pytest.param(20, lambda records: records.insert(0, b'{"id": 0}'), id="one is added before the reader"),
        pytest.param(20, lambda records: records.append(records[0]), id="a record is there twice"),
        pytest.param(20, lambda records: (records.pop(), records.insert(0, b'{"id": 0}')), id="the count stays"),
        pytest.param(20, list.clear, id="nothing is left"),
    ],
)
def test_a_list_that_changes_while_it_is_read_is_not_given_as_whole(at, change) -> None:
    service = Changing({at: lambda: change(service.records)})
    with pages_of(service, connections=1) as (reader, _), pytest.raises(ListChanged, match=r"^clients: "):
        read_all(reader)


def test_a_list_that_changed_can_be_read_again() -> None:
    service = Changing({20: lambda: service.records.pop(3)})
    with pages_of(service) as (reader, _):
        with pytest.raises(ListChanged):
            read_all(reader)
        documents, _ = read_all(reader)
    assert [document.raw for document in documents] == service.records


@pytest.mark.parametrize("added", [1, 10, 35])
def test_a_list_that_grows_at_its_end_is_read_to_its_new_end(added) -> None:
    service = Changing({40: lambda: service.records.extend(clients(50 + added)[50:])})
    with pages_of(service, connections=1) as (reader, _):
        documents, _ = read_all(reader)
    assert [document.raw for document in documents] == service.records
    assert len(documents) == 50 + added


@pytest.mark.parametrize("wrong", [+1, -1])
def test_a_count_that_is_not_that_of_the_list_is_not_believed(wrong) -> None:
    class Miscounting(Service):
        def page(self, offset: int, limit: int, **meta: object) -> Answer:
            return super().page(offset, limit, count=len(self.records) + wrong)

    error = failure(Miscounting(clients(35)))
    assert isinstance(error, ListChanged)
    assert "35 records came, and the last page counts " + str(35 + wrong) in str(error)


def test_a_service_that_caps_its_pages_is_paged_by_what_it_gives() -> None:
    with pages_of(Service(clients(50), cap=7)) as (reader, server):
        documents, _ = read_all(reader)
    assert [document.key for document in documents] == [(key,) for key in range(1, 51)]
    assert offsets(server) == [*range(0, 50, 7)]
    assert {asked.query["limit"] for asked in server.asked[1:]} == {"7"}


def test_a_service_that_ignores_the_offset_is_found_out_by_its_records() -> None:
    service = Service(clients(50))

    def script(asked: Asked) -> Answer:
        answer = service.page(0, 10)
        answer.body = answer.body.replace(b'"offset": 0', b'"offset": ' + asked.query["offset"].encode())
        return answer

    error = failure(script)
    assert not isinstance(error, TransientError)
    assert "does not page by offset: the page from 10 begins with the same record as the first" in str(error)


def test_a_service_that_ignores_the_offset_is_found_out_by_what_it_says() -> None:
    service = Service(clients(50))
    error = failure(lambda asked: service.page(int(asked.query["offset"]) // 2, 10))
    assert not isinstance(error, TransientError)
    assert "does not page by offset: the page from 10 says that it begins at 5" in str(error)


def test_a_service_that_ignores_the_limit_is_found_out() -> None:
    service = Service(clients(50))
    error = failure(lambda asked: service.page(int(asked.query["offset"]), 50))
    assert not isinstance(error, TransientError)
    assert "does not page by limit: 50 records came where 10 were asked for" in str(error)


def test_a_page_that_is_short_in_the_middle_is_found_out() -> None:
    service = Service(clients(50))
    error = failure(lambda asked: service.page(int(asked.query["offset"]), 9 if asked.query["offset"] == "20" else 10))
    assert not isinstance(error, TransientError)
    assert "the page from 20 has 9 records of 10, and is not the last" in str(error)


def test_a_page_that_is_short_because_the_list_shrank_is_a_change() -> None:
    service = Service(clients(50))

    def script(asked: Asked) -> Answer:
        offset = int(asked.query["offset"])
        return service.page(offset, 9, count=49) if offset == 20 else service.page(offset, 10)

    assert isinstance(failure(script, connections=1), ListChanged)


def test_a_service_that_counts_records_and_gives_none_is_found_out() -> None:
    error = failure(lambda _: json_answer({"meta": {"count": 5}, "data": []}))
    assert not isinstance(error, TransientError)
    assert "counts 5 records, and its first page gives none" in str(error)


def test_a_count_that_no_memory_holds_is_refused_at_its_first_page() -> None:
    service = Service(clients(50))
    tracemalloc.start()
    try:
        error = failure(lambda asked: service.page(int(asked.query["offset"]), 10, count=10**12))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not isinstance(error, TransientError)
    assert "counts 1,000,000,000,000 records, and one of more than 10,000,000 is not read at once" in str(error)
    assert most < 5 << 20


def test_a_count_that_the_pages_do_not_explain_is_refused_and_not_asked_to_its_end() -> None:
    service = Service(clients(50))

    def script(asked: Asked) -> Answer:
        return service.page(int(asked.query["offset"]), 10, count=5_000_000)

    tracemalloc.start()
    try:
        with pages_of(script) as (reader, server), pytest.raises(EtlError) as raised:
            read_all(reader)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not isinstance(raised.value, TransientError)
    assert "counts 5,000,000 records, and its page from 50 gives none" in str(raised.value)
    assert len(server.asked) < 25
    assert most < 5 << 20


def test_a_list_that_never_ends_is_ended_by_what_memory_holds(monkeypatch) -> None:
    monkeypatch.setattr(completeness, "MAX_RECORDS", 95)

    def script(asked: Asked) -> Answer:
        """Each page counts as many records more as it gives."""
        offset = int(asked.query["offset"])
        records = [{"id": number} for number in range(offset, offset + 10)]
        return json_answer({"meta": {"count": offset + 20}, "data": records})

    error = failure(script)
    assert not isinstance(error, TransientError)
    assert "one of more than 95 is not read at once" in str(error)


class Repeating(Service):
    """A list that gives some records more than once, at every reading."""

    def __init__(self, *more: int) -> None:
        super().__init__(clients(30))
        for place, key in enumerate(more):
            self.records.insert(25 + place, b'{"id": %d, "name": "another"}' % key)


def test_a_list_that_always_repeats_a_record_is_whole_at_its_second_reading() -> None:
    service = Repeating(3, 11, 3)
    with pages_of(service) as (reader, _):
        with pytest.raises(ListChanged, match="2 records came more than once"):
            read_all(reader)
        documents, rejected = read_all(reader)
        again, _ = read_all(reader)
    assert [document.raw for document in documents] == clients(30)
    assert again == documents
    assert [(each.key, each.position, each.reason) for each in rejected] == [
        ((3,), 25, REPEATED),
        ((11,), 26, REPEATED),
        ((3,), 27, REPEATED),
    ]


def test_a_record_that_comes_twice_in_one_page_has_not_moved() -> None:
    service = Repeating(25, 24, 24)
    service.records.insert(27, b'{"name": "nobody"}')
    with pages_of(service) as (reader, _):
        documents, rejected = read_all(reader)
    assert [document.raw for document in documents] == clients(30)
    assert [(each.key, each.position) for each in rejected] == [((25,), 25), ((24,), 26), (None, 27), ((24,), 28)]


def test_a_list_that_moves_at_each_reading_is_never_given_as_whole() -> None:
    service = Changing({})
    with pages_of(service, connections=1) as (reader, _):
        for number in (1, 2, 3):
            service.changes[20] = lambda number=number: service.records.insert(0, b'{"id": %d}' % -number)
            with pytest.raises(ListChanged):
                read_all(reader)
        documents, rejected = read_all(reader)
    assert [document.raw for document in documents] == service.records
    assert rejected == []
