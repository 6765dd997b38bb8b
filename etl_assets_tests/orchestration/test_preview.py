"""What a preview says of changed SQL, and what it leaves as it was: everything."""

import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from etl_assets.cli import main
from etl_assets.errors import EtlError
from etl_assets.orchestration.models import dbt_build, dbt_project
from etl_assets.orchestration.models.preview import Preview, preview_models
from etl_assets.quality.preview_comparison import ModelDifference
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
        found[f"{schema}.{name}"] = query(settings, f'select xmin::text, t::text from "{schema}"."{name}" as t order by 2')
    return found


_RELATIONS = "select oid, relnamespace::regnamespace::text, relname, relfilenode, relacl::text from pg_class where oid >= 16384 and relnamespace::regnamespace::text !~ '^pg_' order by oid"
_TABLES = "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"


def difference(preview: Preview, relation: str) -> ModelDifference:
    return next(each for each in preview.differences if each.relation == relation)


def test_where_nothing_is_another_model_nothing_is_built(built: Settings, monkeypatch, capsys) -> None:
    monkeypatch.setattr(dbt_build, "run_dbt", None)
    monkeypatch.setenv("ETL_HOME", str(built.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", built.warehouse_url)
    assert main(["preview", "operating_room"]) == 0
    assert capsys.readouterr().out == "operating_room: every model is as it was built last.\n"


def test_a_preview_names_what_changes_and_changes_nothing(built: Settings, edit: Edit, monkeypatch, capsys) -> None:
    edit(BOARD_SQL, "count(*) filter (where is_performed) as", "2 * count(*) filter (where is_performed) as")
    edit(BOARD_SQL, "members.room_id,\n    rooms.room_name,", "members.room_id,\n    1.5::numeric(5, 2) as load,\n    rooms.room_name,")
    edit(FACT_SQL, "where {{ in_window", "where cases.case_id <> 'b' and {{ in_window")
    before = fingerprint(built)
    monkeypatch.setenv("ETL_HOME", str(built.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", built.warehouse_url)
    assert main(["preview", "operating_room"]) == 2
    assert fingerprint(built) == before
    shown = capsys.readouterr().out
    print(shown)
    assert 0
