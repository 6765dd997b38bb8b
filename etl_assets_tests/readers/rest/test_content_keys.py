"""Records that nothing of their own identifies: by their content, or by a constant."""

import json
from hashlib import md5
from uuid import UUID

import pytest

from etl_assets.declare.endpoints import Bare, Each, OnePage, Single
from etl_assets.declare.tables import Field
from etl_assets.errors import ListChanged
from etl_assets.readers.rest.records import REPEATED
from etl_assets_tests.readers.rest.odata_service import ODataService, odata_table
from etl_assets_tests.readers.rest.shapes import failure, read_all, read_keys, reading, table
from etl_assets_tests.readers.rest.stand_in import Answer, json_answer

CONTENT = Field(name="content", type="uuid", path="")
WARNINGS = table(
    Bare(),
    OnePage(),
    key=("study_id", "content"),
    known=(CONTENT,),
    path="studies/{studies.id}/warnings",
    per=Each("studies", gives={"study_id": "id"}),
)


def digest(raw: bytes) -> UUID:
    return UUID(md5(raw).hexdigest())  # noqa: S324 (no secret)


def test_a_record_is_identified_by_the_md5_of_its_bytes() -> None:
    first, second = b'{"type": "Visit", "n": 1.0}', b'{"type": "Visit","n": 1.00}'
    body = b"[ " + first + b", " + second + b"]"
    with reading(lambda _: Answer(body=body)) as (reader, _):
        (page,) = reader.read(WARNINGS, parent={"id": 5})
    assert [document.key for document in page.documents] == [(5, digest(first)), (5, digest(second))]
    assert [document.raw for document in page.documents] == [first, second]


def test_a_record_that_is_there_twice_is_kept_once() -> None:
    declared = table(Bare(), OnePage(), key="content", known=(CONTENT,))
    documents, rejected, _ = read_all(lambda _: Answer(body=b'[{"a": 1}, {"a": 2}, {"a": 1}]'), declared)
    assert [document.raw for document in documents] == [b'{"a": 1}', b'{"a": 2}']
    assert [(each.key, each.position, each.reason) for each in rejected] == [((digest(b'{"a": 1}'),), 2, REPEATED)]


def test_what_cannot_be_kept_has_its_content_for_a_key_too() -> None:
    declared = table(Bare(), OnePage(), key="content", known=(CONTENT,))
    body = b'[{"a": "\\u0000"}, 5, {"a": NaN}, {"a": 1}]'
    documents, rejected, _ = read_all(lambda _: Answer(body=body), declared)
    assert [document.raw for document in documents] == [b'{"a": 1}']
    assert [each.key for each in rejected] == [(digest(raw),) for raw in (b'{"a": "\\u0000"}', b"5", b'{"a": NaN}')]


def test_pages_of_records_without_an_id_are_told_apart_by_their_content() -> None:
    declared = odata_table(key="content", known=(CONTENT,), order_by=("eventDate",))
    service = ODataService(25, make=lambda number: {"eventDate": "2025-05-30", "comment": number})
    documents, _, _ = read_all(service, declared)
    assert [json.loads(document.raw)["comment"] for document in documents] == [*range(1, 26)]
    service.make = lambda number: {"comment": 3 if number == 15 else number}
    assert isinstance(failure(service, declared), ListChanged)


def test_pages_that_begin_alike_are_no_page_that_comes_again() -> None:
    service = ODataService(25, make=lambda number: {"comment": 1 if number == 11 else number})
    with reading(service) as (reader, _):
        declared = odata_table(key="content", known=(CONTENT,))
        with pytest.raises(ListChanged):
            list(reader.read(declared))
        pages = list(reader.read(declared))
    assert sum(len(page.documents) for page in pages) == 24
    assert [each.reason for page in pages for each in page.rejected] == [REPEATED]


def test_the_only_record_of_an_instance_has_a_constant_for_a_key() -> None:
    declared = table(Single(), OnePage(), key="record", constants={"record": 1})
    documents, _, _ = read_all(lambda _: Answer(body=b'{"instanceUID": "x", "record": 7}'), declared)
    assert [(document.key, document.raw) for document in documents] == [((1,), b'{"instanceUID": "x", "record": 7}')]


def test_a_constant_may_be_a_text_beside_other_columns() -> None:
    declared = table(
        Bare(),
        OnePage(),
        key=("kind", "id"),
        known=(Field(name="kind", type="text", path="kind"),),
        constants={"kind": "visit"},
    )
    assert read_keys(lambda _: json_answer([{"id": 1}, {"id": 2}]), declared) == [("visit", 1), ("visit", 2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": ()}, "it has no key"),
        ({"known": (CONTENT,)}, "content has no path"),
        ({"key": "content", "known": (Field(name="content", type="text", path=""),)}, "content has no path"),
        ({"key": "content", "known": (CONTENT,), "lookup": Single()}, "no address of a record"),
        ({"key": ("id", "record"), "constants": {"record": 1}, "lookup": Single()}, "no address of a record"),
        ({"constants": {"record": 1}}, "constant record=1 is no bigint or text of the key"),
        ({"key": "record", "constants": {"record": "x"}}, "constant record='x' is no"),
        ({"key": "record", "constants": {"record": True}}, "constant record=True is no"),
    ],
)
def test_what_identifies_nothing_is_refused_when_it_is_declared(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        table(Bare(), OnePage(), **options)
