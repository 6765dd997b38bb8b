"""Which rules look again, and at what: never at less than what gives the findings of a look at everything."""

import random
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.rules import DateWithin, Finds, InOrder, Required, RowCheck, Rule
from etl_assets.declare.rules_between import NoOverlap, RefersTo, SameAsParent, Settled, SumOfDetails, Unique
from etl_assets.quality.issues import list_issues, resolve_issue
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Counts, record_load
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.relation import Relation
from etl_assets_tests.quality.conftest import Ward, days_of

MON = date(2026, 3, 2)
DAYS = days_of(MON, 10)
TUE, WED, FAR = DAYS[1], DAYS[2], DAYS[9]
ALL = Span(DAYS[0], DAYS[-1])
BASE = {"table": "visit", "why": "To see."}
HAS_ROOM = Required(name="HasRoom", columns=("room",), **BASE)
IN_ORDER = InOrder(name="InOrder", pairs=(("begun", "ended"),), blocks_above=0.5, **BASE)
OVERLAP = NoOverlap(name="Overlap", starts="begun", ends="ended", resource=("room",), **BASE)
BUSY = Finds(
    name="Busy",
    query="select row_slice || room as row_key, 'visits' as field, count(*)::text as value, null as message, row_slice"
    " from looked_at where room is not null group by row_slice, room having count(*) > 1",
    **BASE,
)


def known_room(ward: Ward, **declared: object) -> RefersTo:
    return RefersTo(name="KnownRoom", column="room", relation=f"{ward.schema}.room", key="room", **BASE, **declared)


def rules_of(ward: Ward) -> tuple[Rule, ...]:
    once = Unique(name="Once", column="room", by_slice=False, **BASE)
    return (HAS_ROOM, IN_ORDER, OVERLAP, BUSY, known_room(ward), once)


@pytest.fixture
def loaded(ward) -> Ward:
    """A visit a day, and the room that it names."""
    for number, day in enumerate(DAYS):
        ward.visit(number, day)
    ward.execute("insert into {ward}.room values ('a')")
    ward.loaded("room")
    return ward


def test_a_rule_that_looked_at_all_there_is_need_not_look_again(loaded) -> None:
    for rule in rules_of(loaded):
        assert loaded.run_due(rule, ALL).rows_checked == len(DAYS)
        assert loaded.run_due(rule, ALL) is None, rule.name
        assert loaded.run_due(rule, Span(TUE, WED)) is None or rule.blocks_above, rule.name
        assert loaded.run(rule, ALL), rule.name


def test_a_load_that_changed_nothing_is_no_reason_to_look(loaded) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    counts = Counts(rows_read=9, rows_unchanged=9)
    record_load(
        loaded.connection,
        loaded.batch,
        Relation("ward", "visit"),
        counts,
        seconds=0.0,
        dates=LoadedDates(changed={MON}),
    )
    assert loaded.run_due(HAS_ROOM, ALL) is None


@pytest.mark.parametrize("counted", ["rows_updated", "rows_deleted", "rows_vanished"])
def test_whatever_a_load_wrote_is_a_reason_to_look(loaded, counted) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    read = 1 if counted == "rows_updated" else 0
    counts = Counts(rows_read=read, **{counted: 1})
    record_load(
        loaded.connection,
        loaded.batch,
        Relation("ward", "visit"),
        counts,
        seconds=0.0,
        dates=LoadedDates(changed={MON}),
    )
    assert loaded.run_due(HAS_ROOM, ALL).looked_at == Span(MON, MON)


def test_a_rule_of_single_rows_looks_at_the_dates_that_changed(loaded) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    loaded.visit(0, TUE, room=None)  # it leaves Monday
    result = loaded.run_due(HAS_ROOM, ALL)
    assert (result.looked_at, result.rows_checked, result.open) == (Span(MON, TUE), 2, 1)


def test_a_file_s_dates_are_those_that_it_speaks_of(loaded) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    loaded.execute(
        "insert into etl.source_file (source, table_name, file_name, size_bytes, modified_at, status)"
        " values ('ward', 'visit', 'f.csv', 1, now(), 'loaded')"
    )
    loaded.execute("insert into etl.file_slice (file_id, slice) select file_id, %s from etl.source_file", WED)
    ((file,),) = loaded.execute("select file_id from etl.source_file")
    counts = Counts(rows_read=1, rows_updated=1)
    record_load(
        loaded.connection,
        loaded.batch,
        Relation("ward", "visit"),
        counts,
        seconds=0.0,
        file_id=file,
        dates=LoadedDates(left=[TUE]),
    )
    assert loaded.run_due(HAS_ROOM, ALL).looked_at == Span(TUE, WED)


def test_where_nobody_knows_the_dates_all_are_looked_at(loaded) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    loaded.loaded("visit")
    assert loaded.run_due(HAS_ROOM, ALL).rows_checked == len(DAYS)


def test_what_changed_elsewhere_waits_for_a_run_over_it(loaded) -> None:
    some = Span(MON, TUE)
    loaded.run_due(HAS_ROOM, ALL)
    loaded.visit(9, FAR, room=None)
    assert loaded.run_due(HAS_ROOM, some) is None
    assert loaded.run_due(HAS_ROOM, ALL).open == 1


@pytest.mark.parametrize("rule", [OVERLAP, BUSY, IN_ORDER], ids=lambda rule: rule.name)
def test_a_rule_of_several_rows_and_one_that_blocks_look_at_all_their_dates(loaded, rule) -> None:
    loaded.run_due(rule, ALL)
    loaded.visit(0, MON, hours=2)
    assert loaded.run_due(rule, ALL).rows_checked == len(DAYS)


def test_a_change_beside_the_dates_is_looked_at_where_rows_are_compared(loaded) -> None:
    loaded.visit(1, TUE, at=1)
    assert loaded.run_due(OVERLAP, Span(WED, WED)).open == 0
    loaded.visit(0, MON, at=23, hours=4)  # Tuesday is looked at, and Monday read for it
    assert loaded.run_due(OVERLAP, Span(WED, WED)).open == 1


def test_a_change_of_the_other_table_is_looked_at_everywhere(loaded) -> None:
    rule = known_room(loaded)
    assert loaded.run_due(rule, ALL).open == 0
    loaded.execute("delete from {ward}.room")
    assert loaded.run_due(rule, ALL) is None
    loaded.loaded("room")
    assert loaded.run_due(rule, ALL).open == len(DAYS)


def test_a_changed_rule_looks_again(loaded) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    for changed in (
        Required(name="HasRoom", columns=("room", "ended"), **BASE),
        Required(name="HasRoom", columns=("room", "ended"), severity="warning", **BASE),
        Required(name="HasRoom", columns=("room", "ended"), severity="warning", table="visit", why="To know."),
    ):
        assert loaded.run_due(changed, ALL)
        assert loaded.run_due(changed, ALL) is None
    within = {"name": "Range", "column": "day", "first": "2026-01-01", **BASE}
    loaded.run_due(DateWithin(ahead=timedelta(days=999), **within), ALL)
    assert loaded.run_due(DateWithin(ahead=timedelta(days=-999), **within), ALL).open == len(DAYS)


def test_a_migration_is_a_reason_to_look(loaded, settings) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    with connect(settings, role=None, autocommit=True) as owner:
        owner.execute("insert into public.schema_migration (name, checksum) values ('9999_new.sql', '')")
    assert loaded.run_due(HAS_ROOM, ALL)


def test_today_s_date_is_asked_for_once_a_day(loaded) -> None:
    rule = DateWithin(name="Range", column="day", first="2026-01-01", ahead=timedelta(days=999), **BASE)
    loaded.run_due(rule, ALL)
    assert loaded.run_due(rule, ALL) is None
    loaded.connection.execute("set time zone 'Pacific/Kiritimati'")  # 14 hours ahead, and 12 hours behind
    first = loaded.run_due(rule, ALL)
    loaded.connection.execute("set time zone 'Etc/GMT+12'")
    assert first or loaded.run_due(rule, ALL)


@pytest.mark.parametrize(
    "holds",
    [
        pytest.param("begun < now() + interval '9 years'", id="the time"),
        pytest.param("day < 'today'::date + 9999", id="a moment in words"),
        pytest.param("public.asks_who_knows_what() = 1", id="a function that may read anything"),
        pytest.param("exists (select from pg_temp.untracked)", id="a relation that no load writes"),
        pytest.param("exists (select from etl.batch)", id="the ledger"),
    ],
)
def test_what_nobody_can_tell_is_asked_every_time(loaded, settings, holds) -> None:
    with connect(settings, role=None, autocommit=True) as owner:
        owner.execute("create function public.asks_who_knows_what() returns int stable return 1")
    loaded.execute("create temporary table untracked as select 1 as one")
    rule = RowCheck(name="Holds", column="day", holds=holds, **BASE)
    for _ in range(2):
        assert loaded.run_due(rule, ALL).open == 0


def test_what_blocked_is_found_again_until_it_is_mended(loaded) -> None:
    for number, day in enumerate(DAYS):
        loaded.visit(number, day, hours=-1)
    for _ in range(2):
        assert loaded.run_due(IN_ORDER, ALL).blocks
    # Of a part of the dates the share is another: a run over it looks itself.
    for number in range(2, 10):
        loaded.visit(number, DAYS[number])
    assert not loaded.run_due(IN_ORDER, ALL).blocks
    assert loaded.run_due(IN_ORDER, ALL) is None
    assert loaded.run_due(IN_ORDER, Span(MON, MON)).blocks


def test_a_finding_that_somebody_resolved_is_told_of(loaded) -> None:
    loaded.visit(0, MON, room=None)
    assert not loaded.run_due(HAS_ROOM, ALL).passed
    (issue,) = list_issues(loaded.connection, "ward", most=9)
    resolve_issue(loaded.connection, issue.id, by="Ito", notes="it was outside")
    assert loaded.run_due(HAS_ROOM, ALL).passed
    assert loaded.run_due(HAS_ROOM, ALL) is None


def test_a_retention_decision_is_a_reason_to_look(loaded, settings) -> None:
    loaded.run_due(HAS_ROOM, ALL)
    with connect(settings, role=None, autocommit=True) as owner:
        for relation in ("ward.another", "ward.visit"):
            owner.execute(
                "insert into etl.retention (relation, date_column, before, rows_deleted, done_by, reason)"
                " values (%s, 'day', '2020-01-01', 1, 'Ito', 'old')",
                [relation],
            )
            assert (loaded.run_due(HAS_ROOM, ALL) is not None) is (relation == "ward.visit")


def read_until(ward: Ward, relation: str, until: datetime) -> None:
    ward.execute(
        "insert into etl.extraction (relation, source, rows_held, read_until, swept_at, read_at, source_columns,"
        " batch_id) values (%s, 'ward', 0, %s, %s, now(), '{{}}', %s)"
        " on conflict (relation) do update set read_until = excluded.read_until, swept_at = excluded.swept_at",
        relation, until, until, ward.batch.id,
    )  # fmt: skip


SETTLED = Settled(updated_at="changed_at", relations=("ward.room", "ward.visit"))
WAITING = [
    pytest.param(
        RefersTo(name="Waits", column="room", relation="ward.room", key="room", once_read="changed_at", **BASE),
        id="a reference",
    ),
    pytest.param(
        SameAsParent(name="Waits", column="ended", foreign_key="room", relation="ward.room", key="room",
                     same_as="parent.changed_at::timestamp", settled=SETTLED, **BASE),
        id="as its parent",
    ),
    pytest.param(
        SumOfDetails(name="Waits", column="id", key="room", relation="ward.room", foreign_key="room", amount="size",
                     tolerance=0, settled=SETTLED, **BASE),
        id="a sum",
    ),
]  # fmt: skip


@pytest.mark.parametrize("rule", WAITING)
def test_a_row_that_waits_is_looked_at_once_the_other_table_was_read_past_it(ward, rule) -> None:
    at, hour = datetime(2026, 3, 2, 12, tzinfo=UTC), timedelta(hours=1)
    ward.execute("alter table {ward}.room add size int default 5, add changed_at timestamptz default '2026-03-01'")
    ward.visit(7, MON, room="b")
    if not isinstance(rule, RefersTo):
        ward.execute("insert into {ward}.room values ('b')")
    ward.loaded("room")
    ward.execute("update {ward}.visit set changed_at = %s", at)
    for relation in ("ward.room", "ward.visit"):
        read_until(ward, relation, at - hour)
    assert ward.run_due(rule).open == 0
    assert ward.run_due(rule) is None
    for relation in ("ward.room", "ward.visit"):
        read_until(ward, relation, at)
    assert ward.run_due(rule) is None, "it still waits"
    for relation in ("ward.room", "ward.visit"):
        read_until(ward, relation, at + hour)
    assert ward.run_due(rule).open == 1
    for relation in ("ward.room", "ward.visit"):
        read_until(ward, relation, at + 9 * hour)
    assert ward.run_due(rule) is None, "nothing waits any more"
    for relation in ("ward.room", "ward.visit"):
        read_until(ward, relation, at - hour)
    assert ward.run_due(rule).open == 0, "as after a rollback: how far it was read is another again"


def test_a_load_that_changed_something_has_a_greater_number_than_all_that_are_seen(loaded, settings) -> None:
    """Else a rule would take one that ends after it has looked for one that it has seen."""
    load = (loaded.batch, Relation("ward", "visit"))
    with connect(settings) as slow, connect(settings) as fast:
        record_load(slow, *load, Counts(rows_read=1, rows_inserted=1), seconds=0.0)
        record_load(fast, *load, Counts(rows_read=1, rows_unchanged=1), seconds=0.0)
        fast.execute("set local lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            record_load(fast, *load, Counts(rows_read=1, rows_inserted=1), seconds=0.0)


def test_what_is_known_of_looks_does_not_grow(loaded) -> None:
    for day in DAYS[1:-1]:
        loaded.run_due(HAS_ROOM, Span(day, day))
    assert loaded.execute("select count(*) from etl.rule_run") == [(len(DAYS) - 2,)]
    loaded.run_due(HAS_ROOM, ALL)
    assert loaded.execute("select count(*) from etl.rule_run") == [(1,)]
    loaded.execute("update etl.rule_run set checked_at = now() - interval '91 days'")
    loaded.run_due(HAS_ROOM, Span(FAR, FAR + timedelta(days=9)))
    assert loaded.execute("select slice_from from etl.rule_run") == [(FAR - timedelta(days=1),)]


def something_happens(chance: random.Random, *wards: Ward) -> None:
    """A load or two: visits come, change, move to other days and go, late ones among them; rooms come and go."""
    for _ in range(chance.randint(0, 3)):
        number, day, room = chance.randrange(25), chance.choice(DAYS), chance.choice(["a", "b", "c", None])
        hours, at, kind = chance.randint(-2, 8), chance.randrange(24), chance.randrange(6)
        for ward in wards:
            if kind == 0:
                gone = ward.execute("delete from {ward}.visit where id = %s returning day", number)
                if gone:
                    ward.loaded("visit", gone[0][0])
            elif kind == 1:
                ward.execute("delete from {ward}.room where room = %s", room)
                ward.loaded("room")
            elif kind == 2 and room:
                ward.execute("insert into {ward}.room values (%s) on conflict do nothing", room)
                ward.loaded("room")
            else:
                ward.visit(number, day, room, hours, at)


def someone_resolves(chance: random.Random, *wards: Ward) -> None:
    place = chance.random()
    for ward in wards:
        issues = sorted(list_issues(ward.connection, ward.schema, most=99), key=lambda each: (each.rule, each.key))
        if issues:
            resolve_issue(ward.connection, issues[int(place * len(issues))].id, by="Ito", notes="so it was")


@pytest.mark.parametrize("everything", [True, False], ids=["over everything", "over random dates"])
@pytest.mark.parametrize("seed", range(4))
def test_the_findings_are_those_of_rules_that_look_at_everything(twins, seed, everything) -> None:
    chance, (ward, twin) = random.Random(seed), twins  # noqa: S311
    passed_over = 0
    for _ in range(10):
        something_happens(chance, ward, twin)
        if chance.random() < 0.2:
            someone_resolves(chance, ward, twin)
        first = chance.randrange(len(DAYS))
        span = ALL if everything else Span(DAYS[first], DAYS[chance.randrange(first, len(DAYS))])
        for rule, same in zip(rules_of(ward), rules_of(twin), strict=True):
            due, whole = ward.run_due(rule, span), twin.run(same, None if everything else span)
            passed_over += due is None
            assert not whole.blocks or everything or (due and due.blocks)
        assert ward.open_findings() == twin.open_findings()
    assert passed_over
