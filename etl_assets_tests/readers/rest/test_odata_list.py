"""The forms of OData's lists: one endpoint may answer in any of them."""

import json

import pytest

from etl_assets.declare.endpoints import ODataList, OnePage
from etl_assets.errors import EtlError, ListChanged, TransientError
from etl_assets.readers.rest.envelopes import EnvelopeParser, ListPage
from etl_assets_tests.readers.rest.shapes import failure, read_all, table
from etl_assets_tests.readers.rest.stand_in import Answer

ANY_FORM = table(ODataList(), OnePage())
LINK = "visits?$skiptoken=7"
FORMS = {
    "OData 4": ("value", "@odata.nextLink", "@odata.count"),
    "ASP.NET": ("Items", "NextPageLink", "Count"),
    "ASP.NET without capitals": ("items", "nextPageLink", "count"),
}


def parsed(body: bytes) -> ListPage:
    return EnvelopeParser(ANY_FORM).parse_page(body)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_records_link_and_count_are_read_out_of_each_form(form) -> None:
    at, link, count = form
    body = b'{"@odata.context": "x", "%s":[ {"id": 1,"rate": 12.50} ,{ "id":2}], "%s": "%s", "%s": 2500}'
    page = parsed(body % tuple(text.encode() for text in (at, link, LINK, count)))
    assert [document.raw for document in page.documents] == [b'{"id": 1,"rate": 12.50}', b'{ "id":2}']
    assert (page.next_link, page.total_count) == (LINK, 2500)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("nothing", [{}, {1: None, 2: None}, {1: ""}], ids=["left out", "null", "an empty link"])
def test_link_and_count_may_be_missing_in_each_form(form, nothing) -> None:
    page = parsed(json.dumps({form[0]: [{"id": 1}], **{form[at]: value for at, value in nothing.items()}}).encode())
    assert (page.size, page.next_link, page.total_count) == (1, None, None)


@pytest.mark.parametrize("body", [b'[{ "id":1}]', b' \r\n [ { "id":1} ]'])
def test_a_bare_array_is_a_form_too(body) -> None:
    page = parsed(body)
    assert [document.raw for document in page.documents] == [b'{ "id":1}']
    assert (page.next_link, page.total_count) == (None, None)


def test_the_link_and_the_count_of_another_form_are_not_the_list_s() -> None:
    page = parsed(b'{"value": [{"id": 1, "Count": 5}], "Count": 9, "nextPageLink": "x"}')
    assert (page.next_link, page.total_count) == (None, None)


@pytest.mark.parametrize("body", [b'{"value": [{"id": 1, "a": NaN}, { "id":2}]}', b'[{"id": 1, "a": NaN}, { "id":2}]'])
def test_what_is_no_json_in_one_record_costs_no_other(body) -> None:
    page = parsed(body)
    assert [document.raw for document in page.documents] == [b'{ "id":2}']
    assert [(each.key, each.raw) for each in page.rejected] == [((1,), '{"id": 1, "a": NaN}')]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(b'{"id": 1}', "it has no list", id="a record"),
        pytest.param(b'{"Items": null}', "it has no list", id="null for a list"),
        pytest.param(b'{"value": [], "Items": []}', "it has several lists", id="two lists"),
        pytest.param(b'{"Items": {"id": 1}}', "$.Items", id="an object for a list"),
        pytest.param(b'{"Items": [], "Count": "many"}', "$.Count", id="a count that is none"),
        pytest.param(b'{"value": [], "@odata.nextLink": 5}', "@odata.nextLink", id="a link that is none"),
        pytest.param(b'"x"', "Expected `object`", id="a text"),
    ],
)
def test_an_answer_of_none_of_the_forms_is_told_as_that(body, found) -> None:
    with pytest.raises(EtlError) as raised:
        parsed(body)
    assert not isinstance(raised.value, TransientError)
    assert str(raised.value).startswith("visits: the answer is not of the form value or Items or items or [...] (")
    assert found in str(raised.value)


def test_a_list_that_is_declared_to_be_one_page_may_not_name_a_next_one() -> None:
    error = failure(lambda _: Answer(body=b'{"Items": [{"id": 1}], "NextPageLink": "?x=1"}'), ANY_FORM)
    assert not isinstance(error, TransientError)
    assert "its answer names a next page, and it is declared to be all in one" in str(error)


def test_a_list_of_one_page_is_held_against_its_count() -> None:
    assert len(read_all(lambda _: Answer(body=b'{"Items": [{"id": 1}], "Count": 1}'), ANY_FORM)[0]) == 1
    error = failure(lambda _: Answer(body=b'{"Items": [{"id": 1}], "Count": 2}'), ANY_FORM)
    assert isinstance(error, ListChanged)
