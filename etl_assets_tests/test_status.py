"""`etl status`: what goes on at this moment, and what of it is shown of an importance."""

from pathlib import Path

import psycopg
import pytest

from etl_assets.cli import main
from etl_assets.settings import Settings
from etl_assets.sources.open_dental import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.table_failures import record_load_outcomes
from etl_assets.warehouse.under_way import loading

PATIENT, PHARMACY = f"{SOURCE.schema}.patient", f"{SOURCE.schema}.pharmacy"


@pytest.fixture
def here(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ETL_HOME", str(tmp_path))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url or "")
    return settings


def test_who_watches_sees_what_is_loaded_and_how_many_rows_have_come(here: Settings, capsys) -> None:
    with (
        open_batch(here, SOURCE.name, "load") as batch,
        connect(here, autocommit=True) as session,
        loading(batch, session, Relation(SOURCE.schema, "patient"), ""),
    ):
        session.execute("create temp table etl_rows (line text)")
        with session.cursor().copy("copy etl_rows from stdin") as copy:
            for _ in range(5):
                copy.write(b"a row\n" * 20_000)
            assert main(["status", "--watch", "--looks", "2", "--source", "open_dental"]) == 0
    first, second = (part for part in capsys.readouterr().out.split("UTC\n") if "loading" in part)
    assert f"loading  {PATIENT}: for 0 s" in first
    assert "rows so far" in first
    assert "rows/s" not in first
    assert "rows/s" in second
    assert main(["status", "--watch", "--looks", "1"]) == 0
    assert "loading" not in capsys.readouterr().out


def test_a_batch_that_loads_no_table_is_shown_by_its_kind(here: Settings, capsys) -> None:
    with open_batch(here, SOURCE.name, "build"):
        main(["status", "--watch", "--looks", "1"])
    assert "running  open_dental: build, since" in capsys.readouterr().out


def test_of_an_importance_its_tables_alone_are_shown(here: Settings, capsys) -> None:
    with open_batch(here, SOURCE.name, "load") as batch:
        record_load_outcomes(batch, failed={PATIENT: "no", PHARMACY: "no"}, loaded=[])
    for importance, shown, hidden in (("critical", PATIENT, PHARMACY), ("reference", PHARMACY, PATIENT)):
        assert main(["status", "--importance", importance]) == 2
        out = capsys.readouterr().out
        assert shown in out
        assert hidden not in out
    assert main(["status", "tracktik", "--importance", "critical"]) == 1
    assert "databases alone have classes" in capsys.readouterr().err


def test_the_ledger_is_closed_to_readers(here: Settings) -> None:
    with connect(here, role="etl_reader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from etl.load_under_way")
