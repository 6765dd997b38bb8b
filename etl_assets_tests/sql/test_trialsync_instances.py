"""TrialSync from the stand-in to the marts: its known figures come out, and history sees changes and nothing else."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from etl_assets import cli
from etl_assets.quality.run import run_rule
from etl_assets.sandbox.trialsync.people import PLANTED
from etl_assets.settings import Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.explained_cells import differing_cells, unlisted_parts
from etl_assets_tests.sources.trialsync_loads import TrialSync, open_trialsync
from etl_assets_tests.sql.dbt_runs import Dbt, Outcome
from etl_assets_tests.sql.trialsync_instances import SMALL, load_modelled, modelled_tables

FIGURES = ("screened", "screen_failed", "enrolled", "randomised", "completed")
MODELS = ("run", "--select", "path:models/trialsync", "--exclude", "path:models/trialsync/staging")


@pytest.fixture(scope="module")
def instances(module_settings: Settings) -> Iterator[TrialSync]:
    with open_trialsync(module_settings, SMALL) as opened:
        load_modelled(opened)
        yield opened


@pytest.fixture(scope="module")
def built(dbt: Dbt, instances: TrialSync) -> dict[str, Outcome]:
    built_and_tested = ("build", "--select", "path:models/trialsync", "path:tests/trialsync")
    return build(dbt, instances, *built_and_tested, "--exclude-resource-type", "unit_test")


def build(dbt: Dbt, instances: TrialSync, *words: str) -> dict[str, Outcome]:
    """Build as of the day of the instances."""
    return dbt(*(words or MODELS), as_of=instances.services["north"].books.now.isoformat())


def written(outcomes: dict[str, Outcome]) -> dict[str, int]:
    """The tables of which rows were written."""
    return {name.partition("__")[2]: each.rows for name, each in outcomes.items() if (each.rows or 0) > 0}


def versions(warehouse: psycopg.Connection) -> dict[str, int]:
    """How many versions each dimension with history has."""
    query = "select count(*) from trialsync.dim_{}"
    names = ("patients", "studies", "subjects", "sites", "sponsors", "staff", "visits", "study_arms")
    return {name: warehouse.execute(query.format(name)).fetchone()[0] for name in names}


def instance_ids(warehouse: psycopg.Connection) -> dict[str, int]:
    return dict(warehouse.execute("select name, instance_id from etl.source_instance where source = 'trialsync'"))


def test_every_model_is_built_and_every_test_holds(built: dict[str, Outcome]) -> None:
    assert {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass"}} == {}
    assert len([name for name in built if name.startswith("trialsync__mart_")]) >= len(FIGURES)


def test_every_cell_is_what_its_rows_give(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    assert differing_cells(warehouse, "trialsync") == {}
    assert unlisted_parts(warehouse, "trialsync") == {}


def test_a_cell_is_explained_down_to_the_record_and_the_broken_rule(
    warehouse: psycopg.Connection,
    built: dict[str, Outcome],
    instances: TrialSync,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A status that nobody knows, as a load would bring it; it is taken back after."""
    instance, study, site, subject = warehouse.execute(
        "select source_instance_id, study_id, coalesce(site_id, 0), subject_id from trialsync.fact_enrollment"
        " where is_screened order by 1, 2, 4 limit 1"
    ).fetchone()
    where = f"source_instance_id={instance} and study_id={study} and site_id={site}"
    change = (
        "update trialsync_staging.dim_subjects_staging set data = jsonb_set(data, '{status}', %s)"
        " where source_instance_id = %s and study_id = %s and entity_id = %s"
    )
    keys = [instance, study, subject]
    rule = next(rule for rule in SOURCE.rules if (rule.table, rule.name) == ("dim_subjects_staging", "InvalidStatus"))
    monkeypatch.setenv("ETL_HOME", str(instances.settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", instances.settings.warehouse_url or "")
    [before] = warehouse.execute(
        "select data -> 'status' from trialsync_staging.dim_subjects_staging"
        " where source_instance_id = %s and study_id = %s and entity_id = %s",
        keys,
    ).fetchone()
    warehouse.execute(change, [Jsonb("Abducted"), *keys])
    try:
        with (
            connect(instances.settings, autocommit=True) as connection,
            open_batch(instances.settings, SOURCE.name, "check") as batch,
        ):
            run_rule(connection, batch, SOURCE, rule, None)
        words = ["explain", "trialsync.mart_enrollment_funnel", "--where", where, "--column", "screened"]
        assert cli.main([*words, "--most", "1000"]) == 0
    finally:
        warehouse.execute(change, [Jsonb(before), *keys])
    lines = capsys.readouterr().out.splitlines()
    record = f"source_instance_id {instance}, study_id {study}, entity_id {subject}"
    [at] = [
        at for at, line in enumerate(lines) if line.startswith(f"    trialsync_staging.dim_subjects_staging {record}:")
    ]
    assert "InvalidStatus (status)" in lines[at + 1]


@pytest.mark.parametrize("name", ["north", "south"])
def test_known_figures_of_study_site_and_month_come_out(
    warehouse: psycopg.Connection, instances: TrialSync, built: dict[str, Outcome], name: str
) -> None:
    rows = warehouse.execute(
        "select study_id, site_id, to_char(month_start, 'YYYY-MM'), screened, screen_failed, enrolled, randomized,"
        " completed from trialsync.mart_site_performance where source_instance_id = %s"
        " and screened + screen_failed + enrolled + randomized + completed > 0",
        [instance_ids(warehouse)[name]],
    )
    known = instances.services[name].books.enrolment()
    assert known
    assert {row[:3]: row[3:] for row in rows} == {
        key: tuple(getattr(month, figure) for figure in FIGURES) for key, month in known.items()
    }


@pytest.mark.parametrize("name", ["north", "south"])
def test_subjects_by_status_and_cumulative_figures_are_those_of_the_books(
    warehouse: psycopg.Connection, instances: TrialSync, built: dict[str, Outcome], name: str
) -> None:
    books = instances.services[name].books
    subjects = [subject for subject, _ in books.walk("subjects", 0, books.offsets("subjects").size)]
    statuses = Counter(subject.status for subject in subjects)
    instance = instance_ids(warehouse)[name]
    summary = warehouse.execute(
        "select status, sum(subjects)::integer from trialsync.v_subject_status_summary where source_instance_id = %s"
        " group by 1",
        [instance],
    )
    assert dict(summary) == dict(statuses)
    last = warehouse.execute(
        "select sum(cumulative_enrolled)::integer, sum(subjects_dropped)::integer,"
        " sum(subjects_screen_failed)::integer, sum(subjects_completed)::integer,"
        " sum(subjects_prescreened)::integer from trialsync.mart_study_performance"
        " where source_instance_id = %s and month_start = date_trunc('month', %s::date)",
        [instance, books.now],
    ).fetchone()
    enrolled = sum(month.enrolled for month in books.enrolment().values())
    assert last == (enrolled, *(statuses[each] for each in ("Dropped", "ScreenFailed", "Completed", "Prescreened")))


def test_what_is_loaded_again_or_emptied_and_loaded_again_makes_no_version(
    warehouse: psycopg.Connection, dbt: Dbt, instances: TrialSync, built: dict[str, Outcome]
) -> None:
    before = versions(warehouse)
    assert min(before.values()) > 1
    assert load_modelled(instances) == 0
    for table in modelled_tables():
        warehouse.execute(f"truncate trialsync_staging.{table}")
    emptied = written(build(dbt, instances))
    assert {name for name in emptied if name.startswith("dim_")} == set()
    assert versions(warehouse) == before
    assert load_modelled(instances) > 0
    filled = written(build(dbt, instances))
    assert {name for name in filled if name.startswith("dim_")} == set()
    assert "fact_enrollment" in filled
    assert versions(warehouse) == before


def test_fault_6_what_changed_since_is_told_by_what_was_loaded_and_not_by_clocks(
    warehouse: psycopg.Connection, dbt: Dbt, instances: TrialSync, built: dict[str, Outcome]
) -> None:
    """A view compared the start of a version with the end of the run: it was empty, and never saw a child change."""
    before, newest = versions(warehouse), "select max(surrogate_key) from trialsync.dim_subjects"
    (newest_key,) = warehouse.execute(newest).fetchone()
    instances.services["north"].books.advance(21)
    load_modelled(instances, ["dim_subject_statuses_staging", "dim_patient_visits_staging"])
    changed = written(build(dbt, instances))
    assert {"fact_subject_status_changes", "fact_enrollment", "fact_visit_timelines"} <= changed.keys()
    assert versions(warehouse) == before
    load_modelled(instances)
    assert "dim_subjects" in written(build(dbt, instances))
    news = warehouse.execute(
        "select version.valid_from - record.loaded_at from trialsync.dim_subjects as version"
        " inner join trialsync_staging.dim_subjects_staging as record"
        " on version.source_instance_id = record.source_instance_id and version.study_id = record.study_id"
        " and version.subject_id = record.entity_id where version.surrogate_key > %s",
        [newest_key],
    ).fetchall()
    assert set(news) == {(timedelta(0),)}


def test_what_a_list_no_longer_gives_is_gone_and_comes_back(
    warehouse: psycopg.Connection, dbt: Dbt, instances: TrialSync, built: dict[str, Outcome]
) -> None:
    books = instances.services["south"].books
    subject, _ = next(books.walk("subjects", 0, 1))
    south = instance_ids(warehouse)["south"]
    timeline = (
        "select is_deleted, is_current from trialsync.dim_subjects"
        " where source_instance_id = %s and subject_id = %s order by valid_from desc limit 2"
    )
    books.delete("subjects", subject.id)
    load_modelled(instances)
    build(dbt, instances)
    assert warehouse.execute(timeline, [south, subject.id]).fetchall()[0] == (True, True)
    counted = "select count(*) from trialsync.fact_enrollment where source_instance_id = %s and subject_id = %s"
    assert warehouse.execute(counted, [south, subject.id]).fetchone() == (0,)
    books.deleted["subjects"].clear()
    books.advance(0)
    load_modelled(instances)
    build(dbt, instances)
    assert warehouse.execute(timeline, [south, subject.id]).fetchall() == [(False, True), (True, False)]
    assert warehouse.execute(counted, [south, subject.id]).fetchone() == (1,)


def test_no_planted_value_is_in_a_column_that_readers_see(
    warehouse: psycopg.Connection, instances: TrialSync, built: dict[str, Outcome]
) -> None:
    open_columns = warehouse.execute(
        "select attrelid::regclass::text, attname from pg_attribute inner join pg_class on attrelid = pg_class.oid"
        " where relnamespace = 'trialsync'::regnamespace and relkind in ('r', 'v') and attnum > 0 and not attisdropped"
        " and relowner = 'etl_transformer'::regrole and has_column_privilege('etl_reader', attrelid, attnum, 'select')"
    ).fetchall()
    assert ("trialsync.fact_enrollment", "subject_id") in open_columns
    assert ("trialsync.dim_patients", "last_name") not in open_columns
    for relation, column in open_columns:
        found = warehouse.execute(
            f"select count(*) from {relation} where {column}::text ~ %s", [PLANTED.pattern]
        ).fetchone()
        assert found == (0,), f"{relation}.{column}"
    hidden = warehouse.execute("select count(*) from trialsync.dim_patients where last_name ~ %s", [PLANTED.pattern])
    assert hidden.fetchone()[0] > 0
