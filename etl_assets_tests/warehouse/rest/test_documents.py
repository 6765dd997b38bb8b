"""A service's records on their way into staging, in the two kinds of tables that keep them."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.document_reader import Document
from etl_assets.declare.rest import RestTable, Window
from etl_assets.declare.tables import Full
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest import documents
from etl_assets.warehouse.rest.documents import MergedDocuments
from etl_assets.warehouse.rest.tables import DocumentTable, document_keys, document_layout
from etl_assets.warehouse.tables import ensure_table
from etl_assets_tests.readers.rest.services import listed

MAY, JUNE = date(2026, 5, 4), date(2026, 6, 1)
BATCH = uuid4()
SEEN = "2026-01-01Z"


@pytest.fixture
def newest(connection) -> DocumentTable:
    """One row a record, with its date."""
    return target(connection, RestTable(name="visits", key="id", load=Window(slice_by="at"), endpoint=listed(path="v")))


@pytest.fixture
def versions(connection) -> DocumentTable:
    """One row for each document that a record has had. What it holds was seen on the first of January."""
    return target(connection, RestTable(name="people", key="id", load=Full(), endpoint=listed(path="p")))


def target(connection, table: RestTable) -> DocumentTable:
    relation = Relation("tracktik_staging", table.name)
    ensure_table(connection, relation, document_layout(table, instances=False))
    return DocumentTable(relation=relation, keys=document_keys(table), keeps_versions=table.has_versions)


def doc(key: int, text: str, day: date | None = None) -> Document:
    return Document((key,), day, text.encode())


def merge(connection, into: DocumentTable, *arrived: Document, batch: UUID = BATCH) -> MergedDocuments:
    documents.create_staging(connection, into)
    assert documents.copy_documents_into_staging(connection, into, arrived) == {}
    found = documents.merge_documents(connection, into, batch)
    if into.keeps_versions:  # as if the rows had come on an earlier day: a transaction has but one now()
        connection.execute(
            "update tracktik_staging.people set loaded_at = %s::timestamptz + interval '1 s' * ("
            "select count(*) from tracktik_staging.people) where loaded_at > '2026-06-01'",
            [SEEN],
        )
    return found


def rows(connection, into: DocumentTable, what: str) -> list[tuple]:
    return connection.execute(f"select {what} from {into.relation} order by id, loaded_at").fetchall()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(doc(2, '{"a": 1}', MAY), MergedDocuments(1, 0, (MAY,)), id="a new record is inserted"),
        pytest.param(doc(1, '{"a": 2}', MAY), MergedDocuments(0, 1, (MAY,)), id="another document is an update"),
        pytest.param(
            doc(1, '{"a": 1.0}', MAY), MergedDocuments(0, 0), id="the same value in other digits is no change"
        ),
        pytest.param(
            doc(1, '{"a": 1}', JUNE), MergedDocuments(0, 1, (MAY, JUNE)), id="a record that moves leaves a date"
        ),
    ],
)
def test_a_record_is_merged_by_what_it_changes(connection, newest, document, expected) -> None:
    merge(connection, newest, doc(1, '{"a": 1}', MAY))
    assert merge(connection, newest, document) == expected


def test_the_same_again_writes_nothing(connection, newest, versions) -> None:
    for into, day in ((newest, MAY), (versions, None)):
        merge(connection, into, doc(1, '{"a": 1}', day))
        before = rows(connection, into, "xmin, ctid")
        assert merge(connection, into, doc(1, '{"a":1}', day)) == MergedDocuments(0, 0)
        assert rows(connection, into, "xmin, ctid") == before


def test_the_last_of_two_documents_of_a_record_counts(connection, newest) -> None:
    merge(connection, newest, doc(1, '{"a": 1}', MAY), doc(1, '{"a": 2}', MAY))
    assert rows(connection, newest, "raw_data") == [({"a": 2},)]


def test_numbers_stay_as_the_service_wrote_them(connection, newest) -> None:
    merge(connection, newest, doc(9007199254740993, '{"rate": 12.50, "big": 9007199254740993}', MAY))
    assert rows(connection, newest, "raw_data ->> 'rate', raw_data ->> 'big', id") == [
        ("12.50", "9007199254740993", 9007199254740993)
    ]


def test_each_different_document_is_a_version(connection, versions) -> None:
    assert merge(connection, versions, doc(1, '{"a": 1}'), doc(2, "{}")) == MergedDocuments(2, 0)
    assert merge(connection, versions, doc(1, '{"a": 2}'), doc(2, "{}")) == MergedDocuments(0, 1)
    assert merge(connection, versions, doc(1, '{"a": 1}'), doc(2, "{}")) == MergedDocuments(0, 1)
    assert rows(connection, versions, "id, raw_data ->> 'a', is_latest") == [
        (1, "1", False),
        (1, "2", False),
        (1, "1", True),
        (2, None, True),
    ]


@pytest.mark.parametrize("as_deleted", [False, True])
def test_a_record_that_comes_back_is_there_again(connection, newest, versions, as_deleted) -> None:
    for into, day in ((newest, MAY), (versions, None)):
        merge(connection, into, doc(1, '{"a": 1}', day))
        _, left = documents.mark_missing(connection, into, BATCH, [(1,)], as_deleted=as_deleted)
        assert left == ([MAY] if day else [])
        found = merge(connection, into, doc(1, '{"a": 1}', day))
        assert found.inserted + found.updated == 1
        assert rows(connection, into, "vanished_at, deleted_at")[-1] == (None, None)


def test_a_deletion_between_two_equal_documents_stays_in_the_history(connection, versions) -> None:
    merge(connection, versions, doc(1, '{"a": 1}'))
    documents.mark_missing(connection, versions, BATCH, [(1,)], as_deleted=True)
    merge(connection, versions, doc(1, '{"a": 1}'))
    assert rows(connection, versions, "deleted_at is not null, is_latest") == [(True, False), (False, True)]


def test_what_did_not_arrive_is_told_within_its_dates(connection, newest) -> None:
    merge(connection, newest, *(doc(key, "{}", MAY) for key in (1, 2, 3, 4)), doc(5, "{}", JUNE))
    documents.mark_missing(connection, newest, BATCH, [(3,)], as_deleted=False)
    documents.mark_missing(connection, newest, BATCH, [(4,)], as_deleted=True)
    documents.create_staging(connection, newest)
    documents.copy_documents_into_staging(connection, newest, [doc(1, "{}", MAY)])
    assert documents.missing_documents(connection, newest, Span(MAY, MAY)) == (
        3,
        [(2,), (3,)],
    )  # those marked before come last


@pytest.mark.parametrize("bad", ["{", '{"a": 1e999999}', '{"a": "\\u0000"}', '{"a": "\\ud800"}'])
def test_what_postgresql_cannot_keep_is_told_and_the_rest_is_kept(connection, newest, bad) -> None:
    documents.create_staging(connection, newest)
    few = [doc(1, "{}", MAY), doc(2, bad, MAY), doc(3, '{"tab": "\\t", "line":\n"\\\\"}', MAY)]
    assert list(documents.copy_documents_into_staging(connection, newest, few)) == [1]
    assert documents.staged_counts(connection, newest) == {MAY: 2}
    documents.merge_documents(connection, newest, BATCH)
    assert rows(connection, newest, "id, raw_data") == [(1, {}), (3, {"tab": "\t", "line": "\\"})]


def test_what_goes_straight_in_is_all_there_or_not_at_all(connection, newest, versions) -> None:
    for into, day in ((newest, MAY), (versions, None)):
        few = [doc(1, '{"rate": 12.50}', day), doc(2, "{}", day)]
        assert documents.is_empty(connection, into, Span(MAY, MAY) if day else None)
        assert documents.copy_documents_into_target(connection, into, BATCH, few)
        assert not documents.is_empty(connection, into, Span(MAY, MAY) if day else None)
        assert rows(connection, into, "id, raw_data ->> 'rate', etl_batch_id") == [
            (1, "12.50", BATCH),
            (2, None, BATCH),
        ]
        assert not documents.copy_documents_into_target(connection, into, BATCH, [doc(3, "{}", day), doc(2, "{}", day)])
        assert not documents.copy_documents_into_target(connection, into, BATCH, [doc(3, "{}", day), doc(4, "{", day)])
        assert [key for (key,) in rows(connection, into, "id")] == [1, 2]
