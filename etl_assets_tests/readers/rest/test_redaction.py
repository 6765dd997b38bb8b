"""What is taken out of records before anybody sees it, and what is shown of those that are rejected."""

import json
from dataclasses import replace

import pytest

from etl_assets.declare.endpoints import Bare, Endpoint, OnePage
from etl_assets.declare.rest import RestTable, fields
from etl_assets.declare.tables import Full
from etl_assets.readers.rest.completeness import SeenKeys
from etl_assets.readers.rest.envelopes import EnvelopeParser
from etl_assets.readers.rest.redaction import MAX_RAW_LENGTH, Redaction

PEOPLE = RestTable(
    name="people",
    key="id",
    load=Full(),
    endpoint=Endpoint(path="people", envelope=Bare(), paging=OnePage()),
    fields=fields(text="fullName"),
    never_load=("ssn", "insurance.account"),
)
NAMES_HIDDEN = replace(PEOPLE, personal=("full_name",))
ALL_HIDDEN = replace(PEOPLE, personal_document=True)
RECORD = b'{"id": %s, "fullName": "Jane Doe", "ssn": "900-11-2222", "insurance": {"name": "A", "account": "INS9"}}'


def parsed(table: RestTable, *records: bytes):
    return EnvelopeParser(table).parse_page(b"[" + b", ".join(records) + b"]")


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (RECORD % b"1", {"id": 1, "fullName": "Jane Doe", "insurance": {"name": "A"}}),
        (b'{"id": 1, "SSN": "900-11-2222", "Ssn": "x"}', {"id": 1}),
        (b'{"id": 1, "insurance": [{"account": "INS9"}, {"Account": 7, "name": "B"}]}',
         {"id": 1, "insurance": [{}, {"name": "B"}]}),
        (b'{"id": 1, "insurance": "none", "account": "kept: it is another"}',
         {"id": 1, "insurance": "none", "account": "kept: it is another"}),
        (b'{"id": 1, "ssn": {"a": ["900-11-2222"]}}', {"id": 1}),
    ],
)  # fmt: skip
def test_what_is_never_loaded_leaves_the_record_whatever_its_form(given, left) -> None:
    (document,) = parsed(PEOPLE, given).documents
    assert json.loads(document.raw) == left


@pytest.mark.parametrize("raw", [b'{"id": 1,  "rate": 12.50}', b'{"id": 1, "big": 9007199254740993, "e": 1E2 }'])
def test_a_record_without_it_stays_byte_for_byte(raw: bytes) -> None:
    assert parsed(PEOPLE, raw).documents[0].raw == raw


def test_numbers_beside_what_is_removed_stay_as_they_were_written() -> None:
    (document,) = parsed(
        PEOPLE, b'{"id": 1, "ssn": "9", "rate": 12.50, "insurance": {"account": 1, "e": 1E2}}'
    ).documents
    assert document.raw == b'{"id":1,"rate":12.50,"insurance":{"e":1E2}}'


@pytest.mark.parametrize("table", [PEOPLE, NAMES_HIDDEN, ALL_HIDDEN], ids=["never loaded", "names", "all"])
@pytest.mark.parametrize(
    "key", [b'"x"', b"null", b'"900-11-2222"', b"1.5", b'1, "a": "\\u0000"', b'1, "a": NaN', b'1, "a": "\\ud800"']
)
def test_a_rejected_record_shows_nothing_that_is_hidden(table: RestTable, key: bytes) -> None:
    page = parsed(table, RECORD % key)
    assert page.documents == []
    (rejected,) = page.rejected
    text = rejected.raw + (rejected.reason if table is ALL_HIDDEN else "")
    assert ("900-11-2222" in rejected.raw) is (key == b'"900-11-2222"' and table is not ALL_HIDDEN)
    assert "INS9" not in text
    assert ("Jane" in text) is (table is PEOPLE)


def test_the_outline_of_a_persons_record_tells_how_it_is_made() -> None:
    (rejected,) = parsed(
        ALL_HIDDEN, b'{"id": "x1", "tags": ["Jane", "Doe"], "born": null, "is": true, "at": {"n": 5}}'
    ).rejected
    assert json.loads(rejected.raw) == {
        "id": "text of 2", "tags": ["text of 4", "2 in all"], "born": None, "is": "boolean", "at": {"n": "number"}
    }  # fmt: skip
    assert rejected.reason == "what stands there is not a whole number that a bigint holds"
    deep = b'{"id": null, "a": ' + b'{"a": ' * 400 + b'"Jane"' + b"}" * 401
    long = b'{"id": null, ' + b", ".join(b'"n%d": "Jane"' % at for at in range(2000)) + b"}"
    for raw in (deep, long, b'"Jane"', b"[" * 100 + b"]" * 100):
        (rejected,) = parsed(ALL_HIDDEN, raw).rejected
        assert "Jane" not in rejected.raw
        assert len(rejected.raw) <= MAX_RAW_LENGTH + 3


def test_a_record_that_comes_twice_shows_nothing_either() -> None:
    seen = SeenKeys(ALL_HIDDEN)
    page = seen.take(parsed(ALL_HIDDEN, RECORD % b"1", RECORD % b"1"))
    assert "more than once" in page.rejected[0].reason
    assert "Jane" not in page.rejected[0].raw
    assert len(page.documents) == 1


@pytest.mark.parametrize(
    ("excerpt", "left"),
    [
        (b'[{"id": 1, "ssn": "900-11-2222", "name": "J', b'[{"id": 1, "ssn": ***, "name": "J'),
        (b'{"Insurance":{"ACCOUNT" :"INS9', b'{"Insurance":{"ACCOUNT" :***'),
        (b'{"ssn":900112222,"a":1}', b'{"ssn":***,"a":1}'),
        (b"<p><ssn>900-11-2222</ssn></p>", b"<p><ssn>***</ssn></p>"),
        (b'{"ssn": "9\\"00", "a": 1}', b'{"ssn": ***, "a": 1}'),
        (b"<html>Gateway time-out</html>", b"<html>Gateway time-out</html>"),
    ],
)
def test_the_beginning_of_an_unreadable_answer_is_kept_without_what_is_never_loaded(excerpt, left) -> None:
    assert Redaction(PEOPLE).conceal(excerpt) == left
    assert Redaction(replace(PEOPLE, never_load=())).conceal(excerpt) == excerpt
