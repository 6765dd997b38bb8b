"""A service's records on their way into staging, in the two kinds of tables that keep them."""

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest

from etl_assets.declare.rest import Document
from etl_assets.declare.tables import Endpoint, Full, Table, Window
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest import documents
from etl_assets.warehouse.rest.documents import Merged, Target
from etl_assets.warehouse.tables import ensure_table

MAY, JUNE = date(2026, 5, 4), date(2026, 6, 1)
BATCH = uuid4()
SEEN = "2026-01-01Z"


@pytest.fixture
def newest(connection) -> Target:
    """One row a record, with its date."""
    return target(connection, Table(name="visits", key="id", load=Window(slice_by="at"), endpoint=Endpoint(path="v")))


@pytest.fixture
def versions(connection) -> Target:
    """One row for each document that a record has had. What it holds was seen on the first of January."""
    return target(connection, Table(name="people", key="id", load=Full(), endpoint=Endpoint(path="p")))


def target(connection, table: Table) -> Target:
    relation = Relation("tracktik_staging", table.name)
    ensure_table(connection, table, relation)
    return Target(relation=relation, key="id", versions=not table.has_slices, without=("secret",))


def said(key: int, text: str, day: date | None = None) -> Document:
    return Document(key, day, text.encode())


def merged(connection, into: Target, *arrived: Document, batch: UUID = BATCH) -> Merged:
    documents.begin(connection)
    assert documents.take_in(connection, arrived) == {}
    found = documents.merge(connection, into, batch)
    if into.versions:  # as if the rows had come on an earlier day: a transaction has but one now()
        connection.execute(
            "update tracktik_staging.people set loaded_at = %s::timestamptz + interval '1 s' * ("
            "select count(*) from tracktik_staging.people) where loaded_at > '2026-06-01'",
            [SEEN],
        )
    return found


def held(connection, into: Target, what: str) -> list[tuple]:
    return connection.execute(f"select {what} from {into.relation} order by id, loaded_at").fetchall()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(said(2, '{"a": 1}', MAY), Merged(1, 0, (MAY,)), id="a new record is inserted"),
        pytest.param(said(1, '{"a": 2}', MAY), Merged(0, 1, (MAY,)), id="another document is an update"),
        pytest.param(said(1, '{"a": 1.0}', MAY), Merged(0, 0), id="the same value in other digits is no change"),
        pytest.param(said(1, '{"a": 1}', JUNE), Merged(0, 1, (MAY, JUNE)), id="a record that moves leaves a date"),
    ],
)
def test_a_record_is_merged_by_what_it_changes(connection, newest, document, expected) -> None:
    merged(connection, newest, said(1, '{"a": 1}', MAY))
    assert merged(connection, newest, document) == expected


def test_the_same_again_writes_nothing(connection, newest, versions) -> None:
    for into, day in ((newest, MAY), (versions, None)):
        merged(connection, into, said(1, '{"a": 1}', day))
        before = held(connection, into, "xmin, ctid")
        assert merged(connection, into, said(1, '{"a":1}', day)) == Merged(0, 0)
        assert held(connection, into, "xmin, ctid") == before


def test_the_last_of_two_documents_of_a_record_counts(connection, newest) -> None:
    merged(connection, newest, said(1, '{"a": 1}', MAY), said(1, '{"a": 2}', MAY))
    assert held(connection, newest, "raw_data") == [({"a": 2},)]


def test_what_must_not_be_kept_is_not(connection, newest, versions) -> None:
    for into, day in ((newest, MAY), (versions, None)):
        merged(connection, into, said(1, '{"a": 1, "secret": "x"}', day))
        assert held(connection, into, "raw_data") == [({"a": 1},)]
        assert merged(connection, into, said(1, '{"a": 1, "secret": "y"}', day)) == Merged(0, 0)


def test_numbers_stay_as_the_service_wrote_them(connection, newest) -> None:
    merged(connection, newest, said(9007199254740993, '{"rate": 12.50, "big": 9007199254740993}', MAY))
    assert held(connection, newest, "raw_data ->> 'rate', raw_data ->> 'big', id") == [
        ("12.50", "9007199254740993", 9007199254740993)
    ]


def test_each_different_document_is_a_version(connection, versions) -> None:
    assert merged(connection, versions, said(1, '{"a": 1}'), said(2, "{}")) == Merged(2, 0)
    assert merged(connection, versions, said(1, '{"a": 2}'), said(2, "{}")) == Merged(0, 1)
    assert merged(connection, versions, said(1, '{"a": 1}'), said(2, "{}")) == Merged(0, 1)
    assert held(connection, versions, "id, raw_data ->> 'a', is_latest") == [
        (1, "1", False),
        (1, "2", False),
        (1, "1", True),
        (2, None, True),
    ]


@pytest.mark.parametrize("as_deleted", [False, True])
def test_a_record_that_comes_back_is_there_again(connection, newest, versions, as_deleted) -> None:
    for into, day in ((newest, MAY), (versions, None)):
        merged(connection, into, said(1, '{"a": 1}', day))
        left = documents.mark(connection, into, BATCH, [1], as_deleted=as_deleted)
        assert left == ([MAY] if day else [])
        found = merged(connection, into, said(1, '{"a": 1}', day))
        assert found.inserted + found.updated == 1
        assert held(connection, into, "vanished_at, deleted_at")[-1] == (None, None)


def test_a_deletion_between_two_equal_documents_stays_in_the_history(connection, versions) -> None:
    merged(connection, versions, said(1, '{"a": 1}'))
    documents.mark(connection, versions, BATCH, [1], as_deleted=True)
    merged(connection, versions, said(1, '{"a": 1}'))
    assert held(connection, versions, "deleted_at is not null, is_latest") == [(True, False), (False, True)]


def test_what_did_not_arrive_is_told_within_its_dates(connection, newest) -> None:
    merged(connection, newest, *(said(key, "{}", MAY) for key in (1, 2, 3, 4)), said(5, "{}", JUNE))
    documents.mark(connection, newest, BATCH, [3], as_deleted=False)
    documents.mark(connection, newest, BATCH, [4], as_deleted=True)
    documents.begin(connection)
    documents.take_in(connection, [said(1, "{}", MAY)])
    assert documents.absent(connection, newest, (MAY, MAY)) == (3, [2, 3])  # those marked before come last


@pytest.mark.parametrize("bad", ["{", '{"a": 1e999999}', '{"a": "\\u0000"}', '{"a": "\\ud800"}'])
def test_what_postgresql_cannot_keep_is_told_and_the_rest_is_kept(connection, newest, bad) -> None:
    documents.begin(connection)
    few = [said(1, "{}", MAY), said(2, bad, MAY), said(3, '{"tab": "\\t", "line":\n"\\\\"}', MAY)]
    assert list(documents.take_in(connection, few)) == [1]
    assert documents.arrived(connection) == {MAY: 2}
    documents.merge(connection, newest, BATCH)
    assert held(connection, newest, "id, raw_data") == [(1, {}), (3, {"tab": "\t", "line": "\\"})]


def test_what_goes_straight_in_is_all_there_or_not_at_all(connection, newest, versions) -> None:
    for into, day in ((newest, MAY), (versions, None)):
        plain = replace(into, without=())
        few = [said(1, '{"rate": 12.50}', day), said(2, "{}", day)]
        assert documents.holds_none(connection, plain, (MAY, MAY) if day else None)
        assert documents.put_straight(connection, plain, BATCH, few)
        assert not documents.holds_none(connection, plain, (MAY, MAY) if day else None)
        assert held(connection, into, "id, raw_data ->> 'rate', etl_batch_id") == [
            (1, "12.50", BATCH),
            (2, None, BATCH),
        ]
        assert not documents.put_straight(connection, plain, BATCH, [said(3, "{}", day), said(2, "{}", day)])
        assert not documents.put_straight(connection, plain, BATCH, [said(3, "{}", day), said(4, "{", day)])
        assert [key for (key,) in held(connection, into, "id")] == [1, 2]


def test_nothing_goes_straight_in_where_a_field_must_not_be_kept(connection, newest) -> None:
    assert not documents.put_straight(connection, newest, BATCH, [said(1, '{"secret": "x"}', MAY)])
    assert held(connection, newest, "id") == []
