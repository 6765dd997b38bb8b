"""Marts are published with small cells suppressed, so that no reader finds out what is hidden."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import psycopg
import pytest

from etl_assets.declare.publication import REASON, Count, Publication, PublishedMart
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.quality.linked_marts import MartRows, hide_cells, link_marts
from etl_assets.quality.publication import Published, attack_primary, attack_published, publish_marts
from etl_assets.settings import Settings
from etl_assets.sources.open_dental import SOURCE
from etl_assets.warehouse.connection import READER, TRANSFORMER, connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.published_marts import releases

VISITS = PublishedMart(
    name="visits",
    dimensions={"month": "month", "state": "state"},
    counts={
        "total": Count("visits", persons="patients"),
        "completed": Count("visits", {"status": "completed"}, "patients"),
        "canceled": Count("visits", {"status": "canceled"}, "patients"),
    },
    derived={"completion_rate": ("total", "completed")},
    growth={"growth_rate": ("total", "month")},
)
DENTISTS = PublishedMart(
    name="dentists",
    dimensions={"dentist": "dentist", "state": "state"},
    counts={"completed": Count("visits", {"status": "completed"})},
    anonymous=("pronoun",),
)
PUBLICATION = Publication(
    exact_schema="exact", schema="shown", marts=(VISITS, DENTISTS), reason="fewer than {k}, or derivable"
)
STATES = {"ana": "SP", "bia": "SP", "caio": "AC", "davi": "AC", "eva": "RR"}


@pytest.fixture
def source(settings: Settings) -> Source:
    with connect(settings, role=None, autocommit=True) as connection:
        connection.execute(
            "create schema exact authorization etl_transformer; create schema shown authorization etl_transformer;"
            " grant usage on schema shown to etl_reader"
        )
    return replace(SOURCE, publication=PUBLICATION)


def draw(seed: int, number: int = 160) -> list[tuple[date, str, str, str]]:
    """Visits: month, dentist, status and patient."""
    random_ = random.Random(seed)  # noqa: S311
    return [
        (
            date(2024, 1 + min(int(random_.expovariate(0.6)), 3), 1),
            random_.choices(sorted(STATES), [8, 4, 2, 2, 1])[0],
            random_.choices(["completed", "canceled"], [5, 1])[0],
            f"patient {random_.randrange(60)}",
        )
        for _ in range(number)
    ]


def build(settings: Settings, visits: list[tuple[date, str, str, str]]) -> None:
    """Have the exact marts count these visits, as dbt would."""
    with connect(settings, role=TRANSFORMER) as connection:
        connection.execute("create temp table visit (month date, dentist text, status text, patient text, state text)")
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into visit values (%s, %s, %s, %s, %s)", [(*visit, STATES[visit[1]]) for visit in visits]
            )
        connection.execute(
            """
            drop table if exists exact.visits, exact.dentists;
            create table exact.visits as
            select month, state, count(*) as total, count(*) filter (where status = 'completed') as completed,
                count(*) filter (where status = 'canceled') as canceled, count(distinct patient) as patients,
                round(avg((status = 'completed')::int), 4) as completion_rate, null::numeric as growth_rate
            from visit group by 1, 2;
            update exact.visits as now set growth_rate = round(now.total::numeric / before.total - 1, 4)
            from exact.visits as before
            where before.state = now.state and before.month = now.month - interval '1 month';
            create table exact.dentists as
            select dentist, state, count(*) filter (where status = 'completed') as completed,
                case when dentist < 'e' then 'ela' else 'elu' end as pronoun
            from visit group by 1, 2;
            comment on table exact.visits is 'Consultas por mês e estado.';
            comment on column exact.visits.total is 'Consultas.';
            select etl.built_by_hand('exact.visits', 1), etl.built_by_hand('exact.dentists', 1)
            """
        )


def publish(settings: Settings, source: Source) -> Published | None:
    with open_batch(settings, source.name, "publish") as batch:
        return publish_marts(settings, batch, source)


def hide_small_alone(publication: Publication, held: MartRows, k: int, earlier: object) -> MartRows:
    del earlier
    small = {cell for each in link_marts(publication, held, k).values() for cell in each.small}
    return hide_cells(publication, held, small, k)


def rows(settings: Settings, relation: str, role: str = READER) -> list[dict[str, Any]]:
    with connect(settings, role=role) as connection, connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(f"select * from {relation} order by 1, 2").fetchall()  # type: ignore[arg-type]


def by_key(found: list[dict[str, Any]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    return {tuple(row.values())[:2]: row for row in found}


@pytest.mark.parametrize("seed", range(4))
def test_what_is_small_is_null_with_its_reason_and_nothing_hidden_is_told(
    settings: Settings, source: Source, seed: int
) -> None:
    build(settings, draw(seed))
    done = publish(settings, source)
    assert done is not None
    assert done.disclosed == []
    exact, shown = by_key(rows(settings, "exact.visits", TRANSFORMER)), by_key(rows(settings, "shown.visits"))
    assert exact.keys() == shown.keys()
    hidden = 0
    for key, row in shown.items():
        was = exact[key]
        assert "patients" not in row
        for column in ("total", "completed", "canceled"):
            assert row[column] in (was[column], None)
            if 0 < was[column] < 5 or (was[column] and was["patients"] < 5):
                assert row[column] is None
            hidden += row[column] is None
        assert (row["completion_rate"] is None) == (row["total"] is None or row["completed"] is None)
        assert row[REASON] == (None if {**was, REASON: None}.items() >= row.items() else "fewer than 5, or derivable")
    small = sum(0 < row[name] < 5 for row in exact.values() for name in ("total", "completed", "canceled"))
    assert hidden >= small > 0
    assert attack_published(settings, source) == []


def test_with_small_cells_alone_hidden_the_attack_finds_true_numbers(settings: Settings, source: Source) -> None:
    found = 0
    for seed in range(3):
        build(settings, draw(seed))
        exact = {
            f"{mart}.{column}": {tuple(map(str, key)): row[column] for key, row in by_key(held).items()}
            for mart, held in (
                ("visits", rows(settings, "exact.visits", TRANSFORMER)),
                ("dentists", rows(settings, "exact.dentists", TRANSFORMER)),
            )
            for column in ("total", "completed", "canceled")
            if column in held[0]
        }
        told = attack_primary(settings, source)
        assert all(each.low == exact[each.cell.table][each.cell.values[:2]] for each in told)
        found += len(told)
    assert found > 0


def test_growth_is_hidden_where_it_tells_the_month_before(settings: Settings, source: Source) -> None:
    few = [(date(2024, 1, 1), "ana", "completed", f"patient {n}") for n in range(3)]
    many = [(date(2024, 2, 1), "ana", "completed", f"patient {n}") for n in range(9)]
    build(settings, few + many)
    # Not linked to the dentists, whose totals would have February hidden, too.
    publish(settings, replace(source, publication=replace(PUBLICATION, marts=(VISITS,))))
    january, february = rows(settings, "shown.visits")
    assert (january["total"], february["total"]) == (None, 9)
    assert (february["growth_rate"], february[REASON]) == (None, "fewer than 5, or derivable")


def test_who_is_one_of_few_has_no_attributes(settings: Settings, source: Source) -> None:
    build(settings, draw(1))
    publish(settings, replace(source, publication=replace(PUBLICATION, k=3)))
    shown = {row["dentist"]: row for row in rows(settings, "shown.dentists")}
    assert {name: row["pronoun"] for name, row in shown.items()} == {
        "ana": "ela", "bia": "ela", "caio": "ela", "davi": "ela", "eva": None
    }  # fmt: skip
    assert shown["eva"][REASON]


def test_readers_see_the_published_marts_alone_with_the_words_of_the_exact_ones(
    settings: Settings, source: Source
) -> None:
    build(settings, draw(1))
    publish(settings, source)
    with connect(settings, role=READER) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from exact.visits")
        connection.rollback()
        said = connection.execute(
            "select obj_description('shown.visits'::regclass), col_description('shown.visits'::regclass, 3)"
        ).fetchone()
    assert said == ("Consultas por mês e estado.", "Consultas.")


def test_nothing_is_published_where_nothing_has_changed_and_only_what_differs_is_written(
    settings: Settings, source: Source
) -> None:
    visits = draw(2)
    build(settings, visits)
    first = publish(settings, source)
    assert first is not None
    assert first.written == {"visits": len(rows(settings, "shown.visits")), "dentists": 5}
    assert publish(settings, source) is None
    build(settings, [*visits, *[(date(2024, 1, 1), "ana", "completed", f"patient {n}") for n in range(20)]])
    second = publish(settings, source)
    assert second is not None
    assert second.written is not None
    assert 0 < second.written["visits"] < first.written["visits"]
    held = by_key(rows(settings, "shown.visits"))[date(2024, 1, 1), "SP"]["total"]
    assert held == by_key(rows(settings, "exact.visits", TRANSFORMER))[date(2024, 1, 1), "SP"]["total"]
    build(settings, [visit for visit in visits if visit[0] > date(2024, 1, 1)])
    publish(settings, source)
    assert min(rows(settings, "shown.visits"), key=lambda row: row["month"])["month"] == date(2024, 2, 1)


def test_an_earlier_release_does_not_tell_what_the_present_one_hides(settings: Settings, source: Source) -> None:
    visits = draw(3)
    for number in range(1, 5):
        build(settings, [*visits, *draw(100 + number, 5 * number)])
        done = publish(settings, source)
        assert done is not None
        assert done.disclosed == []
        assert attack_published(settings, source) == []
    with connect(settings) as connection:
        kept = releases(connection, source.name)
    assert len(kept) == 3
    assert attack_published(settings, source, against=kept[-1]) is not None
    with pytest.raises(EtlError, match=f"Release {kept[-1] - 1} is not kept"):
        attack_published(settings, source, against=kept[-1] - 1)


def test_where_the_attack_finds_something_readers_keep_what_they_had(
    settings: Settings, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(settings, draw(0))
    publish(settings, source)
    before = rows(settings, "shown.visits")
    build(settings, draw(1))
    monkeypatch.setattr("etl_assets.quality.publication.suppress_marts", hide_small_alone)
    done = publish(settings, source)
    assert done is not None
    assert done.disclosed
    assert done.written is None
    assert rows(settings, "shown.visits") == before
    monkeypatch.undo()
    done = publish(settings, source)  # what was not published is still to be
    assert done is not None
    assert done.written


def test_of_how_many_persons_something_is_shown_is_a_setting(settings: Settings, source: Source) -> None:
    build(settings, draw(2))
    publish(settings, source)
    given = {**settings.given, "ETL_OPEN_DENTAL_MIN_PERSONS": "12"}
    more = replace(settings, given=given)
    done = publish(more, source)
    assert done is not None
    shown = [row["total"] for row in rows(settings, "shown.visits") if row["total"]]
    assert shown
    assert min(shown) >= 12
    with pytest.raises(EtlError, match="ETL_OPEN_DENTAL_MIN_PERSONS is '1'; a whole number from 2 on was expected"):
        publish(replace(settings, given={**settings.given, "ETL_OPEN_DENTAL_MIN_PERSONS": "1"}), source)


def test_marts_that_are_not_built_are_named(settings: Settings, source: Source) -> None:
    with pytest.raises(EtlError, match=r"exact\.dentists, exact\.visits was not built yet.*etl run open_dental"):
        publish(settings, source)
