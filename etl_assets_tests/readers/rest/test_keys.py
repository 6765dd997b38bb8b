"""What may identify a record: its own fields, those of its parent, and its own address."""

from datetime import date
from uuid import UUID

import pytest

from etl_assets.declare.endpoints import Each, OnePage, Single
from etl_assets.declare.rest import fields
from etl_assets.declare.tables import Field
from etl_assets.errors import EtlError
from etl_assets.readers.rest.records import REPEATED
from etl_assets_tests.readers.rest.shapes import read_all, read_keys, reading, records, table
from etl_assets_tests.readers.rest.stand_in import Answer, in_turn, json_answer

GUID = UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
NESTED = {"path": "studies/{studies.id}/visits", "per": Each("studies", gives={"study": "id"})}


@pytest.mark.parametrize(
    ("kind", "sent", "key"),
    [
        ("text", '"00012345"', "00012345"),
        ("text", '"1234e567"', "1234e567"),
        ("text", "1234e56", "1234e56"),
        ("text", "12345678901234567890.50", "12345678901234567890.50"),
        ("text", "-7", "-7"),
        ("text", '"caf\\u00e9 \\"x\\""', 'café "x"'),
        ("text", '"\\ud83d\\ude00"', "😀"),
        ("text", '" a "', " a "),
        ("text", f'"{"x" * 1000}"', "x" * 1000),
        ("text", f'"{"x" * 1001}"', None),
        ("text", f'"{"é" * 501}"', None),
        ("text", '""', None),
        ("text", "true", None),
        ("text", "null", None),
        ("text", '["a"]', None),
        ("uuid", f'"{GUID}"', GUID),
        ("uuid", f'"{str(GUID).upper()}"', GUID),
        ("uuid", f'"{{{GUID}}}"', GUID),
        ("uuid", f'"{GUID.hex}"', GUID),
        ("uuid", f'"{GUID.urn}"', GUID),
        ("uuid", f'"{{{GUID}"', None),
        ("uuid", f'"{GUID.hex[:-1]}"', None),
        ("uuid", '"6f96-19ff8b86d011b42d00c04fc964ff"', None),
        ("uuid", "7", None),
        ("date", '"2025-05-30"', date(2025, 5, 30)),
        ("date", '"2025-05-30T00:00:00"', date(2025, 5, 30)),
        ("date", '"2025-05-30T00:00:00.000Z"', date(2025, 5, 30)),
        ("date", '"2025-05-30T10:00:00"', None),
        ("date", '"2025-02-30"', None),
        ("date", '"2025-W22-5"', None),
        ("date", "20250530", None),
        ("bigint", '"007"', 7),
        ("bigint", '"7a"', None),
    ],
)
def test_a_key_is_of_its_declared_type(kind, sent, key) -> None:
    body = f'{{"value": [{{"code": {sent}}}]}}'.encode()
    documents, rejected, _ = read_all(lambda _: Answer(body=body), table(key="code", known=fields(**{kind: "code"})))
    if key is None:
        assert [(each.key, each.field) for each in rejected] == [(None, "code")]
        assert rejected[0].reason.startswith(sent[:20])
        return
    assert [document.key for document in documents] == [(key,)]
    assert type(documents[0].key[0]) is type(key)


def test_a_key_of_many_columns_may_lie_in_objects() -> None:
    known = (
        Field(name="study_id", type="uuid", path="study.id"),
        Field(name="day", type="date", path="@odata.day"),
        Field(name="code", type="text", path="study.site.code"),
    )
    found = {"study": {"id": str(GUID), "site": {"code": "07"}}, "@odata.day": "2025-05-30", "id": 5}
    declared = table(key=("study_id", "day", "code", "id"), known=known)
    assert read_keys(lambda _: json_answer({"value": [found]}), declared) == [(GUID, date(2025, 5, 30), "07", 5)]
    for spoilt, field in (
        ({**found, "study": None}, "study.id"),
        ({**found, "study": {"id": str(GUID)}}, "study.site.code"),
        ({**found, "id": "x"}, "id"),
    ):
        _, (rejected,), _ = read_all(in_turn(json_answer({"value": [spoilt]})), declared)
        assert (rejected.key, rejected.field) == (None, field)


def test_records_that_share_a_part_of_their_key_are_different() -> None:
    found = [{"a": a, "b": b} for a in (1, 2) for b in (1, 2)]
    declared = table(key=("a", "b"))
    assert read_keys(lambda _: json_answer({"value": found}), declared) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    _, rejected, _ = read_all(lambda _: json_answer({"value": [*found, {"b": 2, "a": 2}]}), declared)
    assert [(each.key, each.position, each.reason) for each in rejected] == [((2, 2), 4, REPEATED)]


def test_the_key_of_a_rejected_record_is_told_where_all_of_it_can_be_read() -> None:
    body = b'{"value": [{"code": "07", "a": "\\u0000"}, {"code": "\\ud800x", "a": 1}]}'
    _, rejected, _ = read_all(lambda _: Answer(body=body), table(key="code", known=fields(text="code")))
    assert [each.key for each in rejected] == [("07",), None]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("a/b c", "a%2Fb%20c"),
        ("50%?x=1#y", "50%25%3Fx%3D1%23y"),
        ("é&+", "%C3%A9%26%2B"),
        ("...", "..."),
        ("http://elsewhere/", "http%3A%2F%2Felsewhere%2F"),
    ],
)
def test_a_parents_value_is_quoted_and_gives_its_part_of_the_key(given, path) -> None:
    declared = table(key=("study", "id"), known=fields(text="study"), lookup=Single(), **NESTED)
    script = lambda asked: json_answer({"value": records(1, 2)} if asked.path.endswith("visits") else {"id": 2})  # noqa: E731
    with reading(script) as (reader, server):
        (page,) = reader.read(declared, parent={"id": given})
        found = reader.find(declared, (given, 2), parent={"id": given})
    assert [document.key for document in page.documents] == [(given, 1), (given, 2)]
    assert found
    assert found.key == (given, 2)
    assert [asked.path for asked in server.asked] == [
        f"/api/v1/studies/{path}/visits",
        f"/api/v1/studies/{path}/visits/2",
    ]


@pytest.mark.parametrize("given", [GUID, 7, date(2025, 5, 30)])
def test_a_parents_key_may_be_of_any_type(given) -> None:
    kind = {UUID: "uuid", int: "bigint", date: "date"}[type(given)]
    declared = table(Single(), OnePage(), key="study", known=fields(**{kind: "study"}), **NESTED)
    documents, _, server = read_all(lambda _: Answer(body=b'{"state": "open"}'), declared, parent={"id": given})
    assert [document.key for document in documents] == [(given,)]
    assert server.asked[0].path == f"/api/v1/studies/{given}/visits"


@pytest.mark.parametrize("given", ["", ".", ".."])
def test_a_value_that_would_lead_elsewhere_is_not_sent(given) -> None:
    declared = table(key=("study", "id"), known=fields(text="study"), **NESTED)
    with reading(lambda _: json_answer({"value": []})) as (reader, server):
        with pytest.raises(EtlError, match="visits: a key of"):
            list(reader.read(declared, parent={"id": given}))
        assert server.asked == []


@pytest.mark.parametrize(
    ("declared", "parent", "message"),
    [
        pytest.param(table(key=("study", "id"), **NESTED), None, "each row of studies, and id is not", id="none"),
        pytest.param(table(key=("study", "id"), **NESTED), {"number": 1}, "id is not given", id="another's"),
        pytest.param(table(key=("study", "id"), **NESTED), {"id": "a"}, "study from id", id="of another type"),
        pytest.param(table(), {"id": 1}, "at once", id="for a table that has none"),
    ],
)
def test_a_parent_is_for_tables_that_have_one(declared, parent, message) -> None:
    with reading(lambda _: json_answer({"value": []})) as (reader, server):
        with pytest.raises(EtlError, match=f"visits: .*{message}"):
            list(reader.read(declared, parent=parent))
        assert server.asked == []


def test_places_and_keys_count_within_one_parent() -> None:
    declared = table(key=("study", "id"), **NESTED)
    with reading(lambda _: json_answer({"value": [{"id": 1}, {}]})) as (reader, _):
        read = [page for study in (1, 2) for page in reader.read(declared, parent={"id": study})]
    assert [page.documents[0].key for page in read] == [(1, 1), (2, 1)]
    assert [(page.rejected[0].position, page.rejected[0].field) for page in read] == [(1, "id")] * 2


def test_a_text_key_is_quoted_in_its_address() -> None:
    declared = table(key="code", known=fields(text="code"), lookup=Single(), parameters={"$select": "x", "top": "5"})
    with reading(lambda _: json_answer({"code": "a/b?"})) as (reader, server):
        found = reader.find(declared, ("a/b?",))
    assert found
    assert found.key == ("a/b?",)
    assert [(asked.path, asked.query) for asked in server.asked] == [("/api/v1/visits/a%2Fb%3F", {"$select": "x"})]


def test_a_record_without_an_address_is_not_said_to_be_gone() -> None:
    with reading(lambda _: Answer(status=404)) as (reader, server):
        with pytest.raises(EtlError, match=r"visits: .*no lookup"):
            reader.find(table(), (1,))
        assert server.asked == []
        assert reader.find(table(lookup=Single()), (1,)) is None
