"""What an answer may be, and lists by offset that nobody counts or whose pages are capped."""

from datetime import date, timedelta

import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.endpoints import (
    Bare,
    NextLink,
    Offset,
    OnePage,
    Records,
    Single,
    Values,
)
from etl_assets.declare.rest import Window, fields
from etl_assets.errors import ListChanged, TransientError
from etl_assets_tests.readers.rest.shapes import (
    OFFSETS,
    VALUE,
    VALUE_LINKS,
    failure,
    one_to,
    read_all,
    read_keys,
    records,
    skipping,
    table,
)
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, in_turn, json_answer


def test_a_bare_array_is_a_list() -> None:
    documents, _, server = read_all(lambda _: Answer(body=b' [ {"id": 1} , { "id":2} ] '), table(Bare(), OnePage()))
    assert [document.raw for document in documents] == [b'{"id": 1}', b'{ "id":2}']
    assert [asked.query for asked in server.asked] == [{}]


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        pytest.param(Single(), b' { "id":7, "rate":12.50}\n', id="the answer itself"),
        pytest.param(Single(at="result.item"), b'{"result": {"item":{ "id":7, "rate":12.50}}}', id="in an object"),
    ],
)
def test_a_single_object_is_a_record(envelope, body) -> None:
    (document,), _, _ = read_all(lambda _: Answer(body=body), table(envelope, OnePage()))
    assert (document.key, document.raw) == ((7,), b'{ "id":7, "rate":12.50}')


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        pytest.param(Values(field="code"), b'["a", "\\u00e9", 1, "007"]', id="the answer itself"),
        pytest.param(Values(field="code", at="codes"), b'{"codes": ["a", "\\u00e9", 1, "007"]}', id="in an object"),
    ],
)
def test_plain_values_become_records_of_one_field(envelope, body) -> None:
    documents, _, _ = read_all(
        lambda _: Answer(body=body), table(envelope, OnePage(), key="code", known=fields(text="code"))
    )
    assert [document.key for document in documents] == [("a",), ("é",), ("1",), ("007",)]
    assert [document.raw for document in documents][1:3] == [b'{"code":"\\u00e9"}', b'{"code":1}']


def test_a_value_that_is_none_is_rejected_alone() -> None:
    declared = table(Values(field="code"), OnePage(), key="code", known=fields(text="code"))
    documents, rejected, _ = read_all(
        lambda _: Answer(body=b'["a", null, {"b": 1}, "", "\\ud800", "\\u0000", "c"]'), declared
    )
    assert [document.key for document in documents] == [("a",), ("c",)]
    assert [(each.position, each.key) for each in rejected] == [(at, None) for at in range(1, 6)]
    assert rejected[3].raw == '{"code":"\\ud800"}'


@pytest.mark.parametrize(
    ("envelope", "paging", "body", "expected"),
    [
        pytest.param(Bare(), OnePage(), b'{"id": 1}', "not of the form [...]", id="an object for an array"),
        pytest.param(Single(), OnePage(), b'[{"id": 1}]', "not of the form {...}", id="an array for an object"),
        pytest.param(Single(at="item"), OnePage(), b"{}", "not of the form item", id="no object in it"),
        pytest.param(VALUE, OnePage(), b'{"value": null}', "not of the form value", id="null for an array"),
        pytest.param(VALUE, VALUE_LINKS, b"[]", "value, @odata.count, @odata.nextLink", id="an array for an object"),
        pytest.param(VALUE, VALUE_LINKS, b'{"value": [], "@odata.count": "x"}', "@odata.count", id="no count"),
        pytest.param(VALUE, VALUE_LINKS, b'{"value": [], "@odata.nextLink": 5}', "@odata.nextLink", id="no link"),
        pytest.param(Values(field="code", at="codes"), OnePage(), b'{"codes": "a"}', "form codes", id="no values"),
    ],
)
def test_an_answer_of_another_form_is_told_as_that(envelope, paging, body, expected) -> None:
    error = failure(lambda _: Answer(body=body), table(envelope, paging))
    assert not isinstance(error, TransientError)
    assert expected in str(error)


@pytest.mark.parametrize("envelope", [Bare(), Values(field="code")])
@pytest.mark.parametrize(
    "paging",
    [NextLink(at="next"), Offset(limit="l", offset="o", count="c"), Offset(limit="l", offset="o", echo="e")],
)
def test_an_array_has_no_room_for_a_count_or_a_link(envelope, paging) -> None:
    with pytest.raises(ValueError, match="visits: an answer that is an array says no"):
        table(envelope, paging)


def test_half_a_pair_in_one_record_costs_no_other() -> None:
    body = b'{"value": [{ "id":1 }, {"id": 2, "a": "\\ud83d"}, { "id":3}], "@odata.nextLink": null}'
    documents, rejected, _ = read_all(lambda _: Answer(body=body), table())
    assert [document.raw for document in documents] == [b'{ "id":1 }', b'{ "id":3}']
    assert [(each.key, each.position) for each in rejected] == [((2,), 1)]


@pytest.mark.parametrize("total", [0, 1, 9, 10, 11, 35])
def test_a_bare_array_without_count_is_read_until_a_page_is_empty(total) -> None:
    documents, _, server = read_all(skipping(total), table(Bare(), OFFSETS))
    assert [document.key for document in documents] == one_to(total)
    asked = [int(each.query["skip"]) for each in server.asked]
    assert asked == [*range(0, total, 10), total]
    assert {each.query["take"] for each in server.asked} == {"10"}


def test_a_cap_below_the_page_size_is_stepped_by_without_a_count() -> None:
    documents, _, server = read_all(skipping(25, cap=7), table(Bare(), OFFSETS))
    assert [document.key for document in documents] == one_to(25)
    assert [int(each.query["skip"]) for each in server.asked] == [0, 7, 14, 21, 25]


def test_a_cap_below_the_page_size_is_stepped_by_with_a_count() -> None:
    script = skipping(25, cap=7, envelope=lambda found, total: {"page": {"rows": found, "total": str(total)}})
    declared = table(Records(at="page.rows"), Offset(limit="take", offset="skip", size=10, count="page.total"))
    documents, _, server = read_all(script, declared)
    assert [document.key for document in documents] == one_to(25)
    assert sorted(int(each.query["skip"]) for each in server.asked) == [0, 7, 14, 21]


def test_a_short_page_in_the_middle_does_not_end_a_list_without_count() -> None:
    def script(asked: Asked) -> Answer:
        skip = int(asked.query["skip"])
        return json_answer(records(skip + 1, min(skip + (4 if skip == 10 else 10), 30)))

    assert read_keys(script, table(Bare(), OFFSETS)) == one_to(30)


def test_an_ignored_offset_is_found_out_without_a_count() -> None:
    error = failure(lambda _: json_answer(records(1, 10)), table(Bare(), OFFSETS))
    assert not isinstance(error, TransientError)
    assert "does not page by offset: the page from 10 begins with the same record as the first" in str(error)


def test_an_ignored_offset_is_found_out_where_no_record_has_a_key() -> None:
    error = failure(lambda _: json_answer([{"a": 1}, {"a": 2}]), table(Bare(), OFFSETS))
    assert not isinstance(error, TransientError)
    assert "the page from 2 has the records of a page before" in str(error)


def test_an_ignored_limit_is_found_out_without_a_count() -> None:
    error = failure(lambda _: json_answer(records(1, 11)), table(Bare(), OFFSETS))
    assert "does not page by limit: 11 records came where 10 were asked for" in str(error)


def test_pages_that_overlap_are_a_change() -> None:
    def script(asked: Asked) -> Answer:
        skip = int(asked.query["skip"]) // 2
        return json_answer(records(skip + 1, min(skip + 10, 12)))

    error = failure(script, table(Bare(), OFFSETS))
    assert isinstance(error, ListChanged)
    assert "7 records came more than once" in str(error)


def test_a_window_is_asked_for_in_the_services_own_words() -> None:
    declared = table(
        load=Window(slice_by="plan.start", pad=timedelta(0)),
        window="$filter",
        window_format="start ge {first} and start lt {end}",
        longest=timedelta(days=10),
    )
    days = in_turn(*(json_answer({"value": [{"id": n, "plan": {"start": f"2025-05-{n:02}T09:00"}}]}) for n in (1, 11)))
    documents, _, server = read_all(days, declared, window=Span(date(2025, 5, 1), date(2025, 5, 15)))
    assert [asked.query["$filter"] for asked in server.asked] == [
        "start ge 2025-05-01 and start lt 2025-05-11",
        "start ge 2025-05-11 and start lt 2025-05-16",
    ]
    assert [document.slice for document in documents] == [date(2025, 5, 1), date(2025, 5, 11)]
    error = failure(
        lambda _: json_answer({"value": [{"id": 1, "plan": {"start": "2024-01-01"}}]}),
        declared,
        window=Span(date(2025, 5, 1), date(2025, 5, 2)),
    )
    assert (
        "asked for $filter=start ge 2025-05-01 and start lt 2025-05-03, the service gave a record of 2024-01-01"
        in str(error)
    )
