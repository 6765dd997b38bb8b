"""The rules of a row beside others: what each finds, and what it leaves alone. The key of a row says what is odd."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from etl_assets.declare.rules_between import NoOverlap, RefersTo, SameAsParent, Settled, SumOfDetails, Unique
from etl_assets_tests.declare.findings import BASE, TABLE, findings, found, put_rows

OTHER = "pg_temp.other"
STAMP = datetime.fromisoformat("2026-03-02T08:00:00+00:00")
SECOND = timedelta(seconds=1)


@pytest.fixture
def read_until(connection):
    """How far a relation has been read, and fully reconciled."""
    batch = uuid4()
    connection.execute("insert into etl.batch (batch_id, source, kind) values (%s, 'clinic', 'load')", [batch])

    def read(relation: str, until: datetime | None, swept: datetime | None = None) -> None:
        connection.execute(
            "insert into etl.extraction"
            " (relation, source, rows_held, read_until, swept_at, read_at, source_columns, batch_id)"
            " values (%s, 'clinic', 0, %s, %s, now(), '{}', %s)"
            " on conflict (relation) do update set read_until = excluded.read_until, swept_at = excluded.swept_at",
            [relation, until, swept, batch],
        )

    return read


def refers_to(**declared: object) -> RefersTo:
    return RefersTo(**{**BASE, "column": "parent", "relation": OTHER, "key": "number", **declared})


@pytest.fixture
def references(connection) -> None:
    put_rows(connection, "number int", [(1,), (2,)], "other")
    rows = [("fine", 1, STAMP), ("null", None, STAMP), ("none", 0, STAMP), ("unknown", 7, STAMP), ("old", 7, None)]
    put_rows(connection, "id text, parent int, changed_at timestamptz", rows)


@pytest.mark.usefixtures("references")
@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param({}, ["none", "old", "unknown"], id="a null passes"),
        pytest.param({"required": True}, ["none", "null", "old", "unknown"], id="required"),
        pytest.param({"where": "parent <> 0"}, ["old", "unknown"], id="a word for none"),
        pytest.param({"once_read": "changed_at"}, ["none", "unknown"], id="without a watermark all is read"),
    ],
)
def test_refers_to_finds_what_is_not_in_the_other_table(connection, declared, expected) -> None:
    assert found(connection, refers_to(**declared)) == expected


@pytest.mark.usefixtures("references")
def test_refers_to_says_what_is_missing_where(connection) -> None:
    rule = refers_to(where="id = 'unknown'")
    assert findings(connection, rule) == [("unknown", "parent", "7", "parent 7 is not in pg_temp.other")]
    assert rule.severity == "warning"


@pytest.mark.usefixtures("references")
@pytest.mark.parametrize(
    ("until", "expected"),
    [
        pytest.param(STAMP, [], id="read until just then"),
        pytest.param(STAMP + SECOND, ["unknown"], id="read past it"),
        pytest.param(None, ["unknown"], id="no watermark"),
    ],
)
def test_refers_to_waits_until_the_other_table_was_read_past_the_rows_change(
    connection, read_until, until, expected
) -> None:
    read_until(OTHER, until)
    read_until("pg_temp.another", STAMP - SECOND)
    assert found(connection, refers_to(where="parent <> 0", once_read="changed_at")) == expected


def test_a_row_of_a_hierarchy_refers_to_another_row_than_itself(connection) -> None:
    put_rows(connection, "id text, above text", [("top", None), ("below", "top"), ("itself", "itself"), ("lost", "x")])
    declared = {"column": "above", "relation": f"pg_temp.{TABLE}", "key": "id"}
    assert found(connection, refers_to(**declared)) == ["lost"]
    assert found(connection, refers_to(**declared, another=True)) == ["itself", "lost"]


def test_what_a_row_refers_to_is_its_own_tenants(connection) -> None:
    rows = [("same tenant", 1, 7), ("another's", 2, 7), ("none's", None, 7), ("nothing", 2, None)]
    put_rows(connection, "id text, tenant int, parent int", rows)
    put_rows(connection, "tenant int, number int", [(1, 7), (2, 8)], "other")
    assert found(connection, refers_to()) == []
    assert found(connection, refers_to(within=("tenant",))) == ["another's", "none's"]
    with pytest.raises(ValueError, match="cannot be names of columns"):
        refers_to(within=("tenant; --",))


@pytest.fixture
def header_and_details(connection) -> None:
    rows = [("sum", 100.1), ("cancelled", 0), ("nothing", 0), ("missing", 5), ("off", 10), ("near", 10), ("null", None)]
    put_rows(connection, "id text, amount float, changed_at timestamptz", [(*row, STAMP) for row in rows])
    details = [
        ("sum", 33.4), ("sum", 33.4), ("sum", 33.3), ("cancelled", 50), ("cancelled", -50), ("off", 10.01),
        ("off", None), ("near", 10.004), ("null", 1), ("of no header", 1),
    ]  # fmt: skip
    columns = "header text, part float, changed_at timestamptz"
    put_rows(connection, columns, [(*row, STAMP) for row in details], "other")


def sum_of_details(**declared: object) -> SumOfDetails:
    of = {"column": "amount", "key": "id", "relation": OTHER, "foreign_key": "header", "amount": "part"}
    return SumOfDetails(**{**BASE, **of, "tolerance": 0.005, **declared})


@pytest.mark.usefixtures("header_and_details")
def test_sum_of_details_finds_headers_that_differ_by_more_than_the_tolerance(connection) -> None:
    assert findings(connection, sum_of_details()) == [
        ("missing", "amount", "5.00", "amount is 5.00, its 0 details make 0.00"),
        ("off", "amount", "10.00", "amount is 10.00, its 2 details make 10.01"),
    ]
    assert found(connection, sum_of_details(tolerance=5)) == []
    told = sum_of_details(where="looked_at.id = 'off'", message="{total} in {details} of {header}", decimals=1)
    assert findings(connection, told) == [("off", "amount", "10.0", "10.0 in 2 of 10.0")]


@pytest.mark.usefixtures("header_and_details")
@pytest.mark.parametrize(
    ("header", "details", "expected"),
    [
        pytest.param((1, 1), (1, 1), ["missing", "off"], id="both were read and reconciled"),
        pytest.param((1, 1), (0, 1), [], id="the details were not read so far"),
        pytest.param((0, 1), (1, 1), [], id="the headers were not read so far"),
        pytest.param((1, 1), (1, 0), [], id="details may have been deleted since"),
        pytest.param((1, None), (1, 1), ["missing", "off"], id="never reconciled by a sweep of its own"),
    ],
)
def test_a_sum_waits_until_both_tables_were_read_and_reconciled(
    connection, read_until, header, details, expected
) -> None:
    for relation, after in ((f"pg_temp.{TABLE}", header), (OTHER, details)):
        read_until(relation, *(seconds if seconds is None else STAMP + seconds * SECOND for seconds in after))
    settled = Settled(updated_at="changed_at", relations=(f"pg_temp.{TABLE}", OTHER))
    assert found(connection, sum_of_details(settled=settled)) == expected


@pytest.mark.usefixtures("header_and_details")
def test_a_header_is_as_new_as_its_newest_detail(connection, read_until) -> None:
    connection.execute(
        "update pg_temp.other set changed_at = %s where header = 'off' and part is null", [STAMP + SECOND]
    )
    read_until(OTHER, STAMP + SECOND)
    settled = Settled(updated_at="changed_at", relations=(f"pg_temp.{TABLE}", OTHER))
    assert found(connection, sum_of_details(settled=settled)) == ["missing"]


def same_as_parent(**declared: object) -> SameAsParent:
    of = {"column": "day", "foreign_key": "parent", "relation": OTHER, "key": "number", "same_as": "parent.paid_on"}
    return SameAsParent(**{**BASE, **of, **declared})


@pytest.fixture
def parent_and_children(connection) -> None:
    put_rows(
        connection,
        "number int, paid_on text, changed_at timestamptz",
        [(1, "monday", STAMP), (2, None, STAMP), (3, "monday", STAMP + SECOND)],
        "other",
    )
    rows = [
        ("fine", 1, "monday"), ("null", 1, None), ("null parent", 2, "monday"), ("no parent", 7, "friday"),
        ("other", 1, "friday"), ("of a newer one", 3, "friday"),
    ]  # fmt: skip
    put_rows(connection, "id text, parent int, day text, changed_at timestamptz", [(*row, STAMP) for row in rows])


@pytest.mark.usefixtures("parent_and_children")
def test_same_as_parent_finds_what_the_parent_says_otherwise(connection) -> None:
    assert findings(connection, same_as_parent()) == [
        ("of a newer one", "day", "friday", "day is friday and the parent has monday"),
        ("other", "day", "friday", "day is friday and the parent has monday"),
    ]
    told = same_as_parent(
        where="looked_at.id <> 'other'", field="Tag", message="{looked_at.day} is not {upper(parent.paid_on)}"
    )
    assert findings(connection, told) == [("of a newer one", "Tag", "friday", "friday is not MONDAY")]


@pytest.mark.usefixtures("parent_and_children")
def test_same_as_parent_waits_until_both_were_read_past_the_change_of_either(connection, read_until) -> None:
    rule = same_as_parent(settled=Settled(updated_at="changed_at", relations=(f"pg_temp.{TABLE}", OTHER)))
    read_until(OTHER, STAMP + SECOND)
    assert found(connection, rule) == ["other"]
    read_until(OTHER, STAMP + 2 * SECOND)
    assert found(connection, rule) == ["of a newer one", "other"]
    read_until(f"pg_temp.{TABLE}", STAMP)
    assert found(connection, rule) == []


def test_unique_finds_each_of_those_that_have_the_same(connection) -> None:
    rows = [
        ("alone", "A", True), ("one", "B", True), ("another", "B", True), ("gone", "A", False),
        ("null", None, True), ("null too", None, True),
    ]  # fmt: skip
    put_rows(connection, "id text, number text, active boolean", rows)
    rule = Unique(**BASE, column="number", where="active or number is null", message="{number} is that of {times}")
    assert findings(connection, rule) == [
        ("another", "number", "B", "B is that of 2"),
        ("one", "number", "B", "B is that of 2"),
    ]
    assert findings(connection, Unique(**BASE, column="number"))[0] == (
        "alone", "number", "A", "number A is that of 2 rows",
    )  # fmt: skip


def test_unique_within_a_tenant_leaves_the_numbers_of_others_alone(connection) -> None:
    put_rows(connection, "id text, tenant int, number int", [("a", 1, 7), ("b", 1, 7), ("c", 2, 7), ("d", 1, 8)])
    assert found(connection, Unique(**BASE, column="number")) == ["a", "b", "c"]
    assert found(connection, Unique(**BASE, column="number", within=("tenant",))) == ["a", "b"]


def test_no_overlap_finds_the_later_of_two_that_use_one_resource_at_once(connection) -> None:
    rows = [
        ("a", "1", None, 8, 10), ("b begins as a ends", "1", None, 10, 12), ("c overlaps b", "1", None, 11, 13),
        ("d is elsewhere", "1", "X", 11, 13), ("e has no room", None, None, 11, 13),
        ("f has no room", None, None, 11, 13), ("g has no end", "1", None, 20, None),
        ("h begins after g", "1", None, 21, 22), ("i starts with h", "1", None, 21, 23),
    ]  # fmt: skip
    put_rows(connection, "id text, room text, site text, begins int, over int", rows)
    rule = NoOverlap(**BASE, starts="begins", ends="over", resource=("room",), resource_nullable=("site",))
    assert findings(connection, rule) == [
        ("c overlaps b", "overlap", "11 in b begins as a ends", "starts at 11, before b begins as a ends ends at 12"),
        ("i starts with h", "overlap", "21 in h begins after g", "starts at 21, before h begins after g ends at 22"),
    ]
    told = NoOverlap(
        **BASE,
        starts="begins + 0",
        ends="over + 1",
        resource=("room",),
        where="id < 'c' or false",
        message="{later.room}: {later.starts} < {earlier.ends}",
    )
    assert findings(connection, told) == [("b begins as a ends", "overlap", "10 in a", "1: 10 < 11")]
    assert rule.exception_type == "Overlap"


def test_a_row_that_overlaps_many_is_one_finding_which_names_the_one_that_ends_last(connection) -> None:
    rows = [
        ("a long", 0, 100), ("b within a", 1, 5), ("c within a too", 6, 9), ("d out of a", 90, 200),
        ("e after a, in d", 150, 160), ("f after all", 200, 201), ("g ends before it begins", 202, 198),
        ("h without end", 100, None), ("i twin", 300, 400), ("j twin", 300, 400), ("k twin", 300, 400),
    ]  # fmt: skip
    put_rows(connection, "id text, begins int, over int, room int default 1", [])
    for row in rows:
        connection.execute(f"insert into {TABLE} values (%s, %s, %s)", row)
    rule = NoOverlap(**BASE, starts="begins", ends="over", resource=("room",), message="{earlier.row_key}")
    assert [(key, message) for key, _, _, message in findings(connection, rule)] == [
        ("b within a", "a long"), ("c within a too", "a long"), ("d out of a", "a long"),
        ("e after a, in d", "d out of a"), ("j twin", "i twin"), ("k twin", "i twin"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({"relation": "other"}, id="no schema"),
        pytest.param({"relation": "a.b; drop table c"}, id="no relation"),
        pytest.param({"key": "number = 1 or 1"}, id="no column"),
    ],
)
@pytest.mark.parametrize("kind", [refers_to, same_as_parent], ids=["refers to", "same as parent"])
def test_a_relation_that_cannot_be_one_is_told_when_it_is_declared(kind, declared) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a column"):
        kind(**declared)


def test_watermarks_of_what_cannot_be_a_relation_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be names of relations"):
        Settled(updated_at="changed_at", relations=("payment",))
