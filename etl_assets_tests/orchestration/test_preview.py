"""What a preview says of changed SQL, and what it leaves as it was: everything."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from etl_assets.cli import main
from etl_assets.errors import EtlError
from etl_assets.orchestration.models import dbt_build, dbt_project, preview
from etl_assets.orchestration.models.preview import preview_models
from etl_assets.settings import PROJECT, Settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import PREVIEWER, connect
from etl_assets.warehouse.preview import copy_table, drop_stale_previews, preview_schemas
from etl_assets.warehouse.relation import Relation
from etl_assets_tests.orchestration.test_model_run import FIRST, SECOND, build, load, query

BOARD, FACT = "operating_room.mart_daily_board", "operating_room.fact_case"
BOARD_SQL = "models/operating_room/marts/operating_room__mart_daily_board.sql"
FACT_SQL = "models/operating_room/facts/operating_room__fact_case.sql"
Edit = Callable[..., None]


@pytest.fixture(scope="module")
def built(module_settings: Settings) -> Settings:
    """Two cases, and everything built on them."""
    load(module_settings, "1", ("a", FIRST, "hip"), ("b", SECOND, "knee"))
    build(module_settings)
    return module_settings


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Edits a copy of the dbt project, of one source's files: replaces a text of a file by another one."""
    sql = tmp_path / "sql"
    for folder in ("models", "seeds", "tests"):
        shutil.copytree(PROJECT / "sql" / folder / SOURCE.name, sql / folder / SOURCE.name)
    for name in ("macros", "tests/generic"):
        shutil.copytree(PROJECT / "sql" / name, sql / name)
    for name in ("dbt_project.yml", "profiles.yml", "column_types.yaml"):
        shutil.copy(PROJECT / "sql" / name, sql / name)
    monkeypatch.setattr(dbt_project, "SQL", sql)
    monkeypatch.setattr(dbt_project, "TARGET", sql / "target")
    monkeypatch.setattr(dbt_build, "SQL", sql)

    def forget() -> None:
        dbt_project.manifest.cache_clear()
        dbt_project.source_manifest.cache_clear()

    def replace(path: str, old: str, new: str) -> None:
        text = (sql / path).read_text()
        assert old in text
        (sql / path).write_text(text.replace(old, new))
        forget()

    forget()
    yield replace
    forget()


def fingerprint(settings: Settings) -> dict[str, list[tuple]]:
    """Every row of production and of the ledger, with the transaction that wrote it; and every relation."""
    found = {"relations": query(settings, _RELATIONS)}
    for schema, name in query(settings, _TABLES):
        found[f"{schema}.{name}"] = query(
            settings, f'select xmin::text, t::text from "{schema}"."{name}" as t order by 2'
        )
    return found


_RELATIONS = """
    select oid, relnamespace::regnamespace::text, relname, relfilenode, relacl::text
    from pg_class
    where oid >= 16384 and relnamespace::regnamespace::text !~ '^pg_'
    order by oid
"""
_TABLES = "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"


def at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url)


def test_where_nothing_is_another_model_nothing_is_built(built: Settings, monkeypatch, capsys) -> None:
    monkeypatch.setattr(preview, "run_dbt", None)
    at(built, monkeypatch)
    assert main(["preview", "operating_room"]) == 0
    assert capsys.readouterr().out == "operating_room: every model is as it was built last.\n"


def test_a_preview_names_what_changes_and_changes_nothing(built: Settings, edit: Edit, monkeypatch, capsys) -> None:
    edit(BOARD_SQL, "filter (where is_performed) as performed_cases", "* 5 as performed_cases")
    edit(BOARD_SQL, "    rooms.room_name,\n", "    1.5::numeric(5, 2) as load,\n    rooms.room_name,\n")
    edit(BOARD_SQL, "    rooms.location_name,\n", "")
    edit(FACT_SQL, "where {{ in_window", "where cases.case_id <> 'b' and {{ in_window")
    before = fingerprint(built)
    at(built, monkeypatch)
    assert main(["preview", "operating_room"]) == 2
    assert fingerprint(built) == before
    shown = capsys.readouterr().out
    assert "2 models are other ones than were built last, 4 more were built with them" in shown
    fact, board, by_room = (
        _part(shown, name) for name in (FACT, BOARD, "operating_room.mart_monthly_by_room  (follows)")
    )
    assert fact == ["rows: 2 → 1", "only now: 1 row, such as main|b"]
    assert board[:3] == [
        "column added: load numeric(5,2)",
        "column given up: location_name stays, and is not written any more",
        "rows: 2 → 2",
    ]
    assert "performed_cases differs in 2 rows" in board
    assert "total of performed_cases: 2 → 5" in board
    assert by_room == ["rows: 1 → 1", "cases differs in 1 row", "total of cases: 2 → 1"]
    assert _part(shown, "operating_room.mart_schedule_accuracy  (follows)") == ["no difference in 0 rows"]
    tests = _part(shown, "Tests that fail on the preview:")
    assert [line.split(":")[0].split()[-1] for line in tests] == [
        "operating_room__mart_daily_board_cases_add_up",
        "operating_room__marts_agree_with_the_facts",
    ]
    assert "fact_turnover" not in shown  # it reads neither of the two


def _part(shown: str, head: str) -> list[str]:
    """The lines under a head."""
    lines = shown.split(f"\n{head}\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    return [line.strip() for line in lines]


def test_a_model_that_cannot_be_built_is_told_with_what_is_built_on_it(
    built: Settings, edit: Edit, monkeypatch, capsys
) -> None:
    # A deployment refuses another type: the preview does, too.
    edit(FACT_SQL, "    cases.patient_class,", "    7 as patient_class,")
    before = fingerprint(built)
    at(built, monkeypatch)
    assert main(["preview", "operating_room"]) == 1
    assert fingerprint(built) == before
    printed = capsys.readouterr()
    (reason,) = _part(printed.out, FACT)
    assert reason.startswith("could not be built:")
    assert "patient_class is held as text and the model says integer" in reason
    assert _part(printed.out, BOARD) == ["not built, for something that it reads could not be"]
    assert printed.err == f"etl: {FACT} could not be built, and would not be when it is deployed.\n"


def test_models_that_are_named_are_built_as_they_are(built: Settings) -> None:
    before = fingerprint(built)
    found = preview_models(built, SOURCE, ["dim_room", "operating_room_staging.stg_or_schedule"])
    assert fingerprint(built) == before
    assert (found.changed, found.differs, found.failed, found.failed_tests) == (frozenset(), False, {}, [])
    # Upon copies, so that keys of dimensions are those of production, and facts refer to the same.
    assert {"operating_room.dim_room", FACT, BOARD} <= {each.relation for each in found.differences}
    (room,) = (each for each in found.differences if each.relation == "operating_room.dim_room")
    assert (room.rows_now, room.rows_previewed) == (2, 2)
    with pytest.raises(EtlError, match="No model is called dim_rome"):
        preview_models(built, SOURCE, ["dim_rome"])


def test_rows_that_production_was_not_built_of_are_named(built: Settings) -> None:
    load(built, "2", ("c", SECOND, "hip"))
    found = preview_models(built, SOURCE, ["mart_daily_board"])
    assert found.newer_rows == frozenset()  # the board reads the fact, and that is as it was
    found = preview_models(built, SOURCE, ["fact_case"])
    assert found.newer_rows == {"stg.or_case"}
    (fact,) = (each for each in found.differences if each.relation == FACT)
    assert list(fact.only_previewed.examples) == ["main|c"]


def test_the_role_of_previews_writes_nowhere_else(built: Settings) -> None:
    with connect(built, role=PREVIEWER, autocommit=True) as connection:
        for statement in (
            f"insert into {FACT} select * from {FACT}",
            f"delete from {BOARD}",
            "create table operating_room.mine (n int)",
            "create table stg.mine (n int)",
            "create schema mine",
            f"alter table {FACT} add column mine int",
            "update stg.or_case set case_id = case_id",
            "insert into etl.model_state (relation, code_version, seen) values ('a.b', 'c', '{}')",
            "select etl.built_by_hand('operating_room.fact_case', 1)",
            "select etl.begin_build('operating_room.fact_case', '{}')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    is_more = (
        "select rolname from pg_roles where rolname <> 'etl_previewer' and pg_has_role('etl_previewer', oid, 'member')"
    )
    assert query(built, is_more) == []


def test_the_role_of_previews_reads_what_the_transformer_reads(built: Settings) -> None:
    differ = """
        select oid::regclass from pg_class
        where relkind in ('r', 'p', 'v', 'm') and relnamespace::regnamespace::text !~ '^pg_|^information_schema$'
            and has_table_privilege('etl_transformer', oid, 'select')
            and not (
                has_table_privilege('etl_previewer', oid, 'select')
                and has_schema_privilege('etl_previewer', relnamespace, 'usage')
            )
    """
    assert query(built, differ) == []
    query(built, "set role etl_transformer; create table operating_room.made_later (n int)")
    assert query(built, differ) == []
    query(built, "drop table operating_room.made_later")


def test_what_a_killed_preview_left_is_dropped_and_one_that_is_under_way_is_not(settings: Settings) -> None:
    left = "select nspname::text from pg_namespace where starts_with(nspname, 'preview_') order by 1"
    query(settings, "create schema preview_tracktik authorization etl_previewer; create schema preview_mine")
    with connect(settings, role=None, autocommit=True) as one, connect(settings, role=None, autocommit=True) as other:
        with preview_schemas(one, {"stg"}):
            assert query(settings, left) == [("preview_mine",), ("preview_stg",)]
            assert drop_stale_previews(other) == 0
            with pytest.raises(EtlError, match="Another preview is under way"), preview_schemas(other, {"etl"}):
                pass
        assert query(settings, left) == [("preview_mine",)]
        query(settings, "create schema preview_tracktik authorization etl_previewer")
        assert drop_stale_previews(other) == 1
        assert query(settings, left) == [("preview_mine",)]


def test_a_copy_is_partitioned_and_goes_on_with_its_keys(settings: Settings) -> None:
    query(
        settings,
        """
        set role etl_transformer;
        create table operating_room.fact_parts (part text, id int, primary key (part, id)) partition by list (part);
        create table operating_room.fact_parts_a partition of operating_room.fact_parts for values in ('a');
        create table operating_room.fact_parts_rest partition of operating_room.fact_parts default;
        insert into operating_room.fact_parts values ('a', 1), ('b', 2);
        create table operating_room.dim_of (surrogate_key bigint generated always as identity primary key, n int);
        insert into operating_room.dim_of (n) values (1), (2);
        """,
    )
    with connect(settings, role=None, autocommit=True) as connection, preview_schemas(connection, {"operating_room"}):
        for name in ("fact_parts", "dim_of", "not_there"):
            copy_table(connection, Relation("operating_room", name))
        parts = "select tableoid::regclass::text, id from preview_operating_room.fact_parts order by 2"
        assert connection.execute(parts).fetchall() == [
            ("preview_operating_room.fact_parts_a", 1), ("preview_operating_room.fact_parts_rest", 2),
        ]  # fmt: skip
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into preview_operating_room.fact_parts values ('a', 1)")
        connection.execute("insert into preview_operating_room.dim_of (n) values (3)")
        keys = connection.execute("select surrogate_key from preview_operating_room.dim_of order by 1").fetchall()
        assert keys == [(1,), (2,), (3,)]
