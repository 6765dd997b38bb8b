"""Open Dental from a real MariaDB to the marts, through `etl run`, held against what the practice says of itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from etl_assets.readers.database import open_connection
from etl_assets.sandbox.open_dental.fill import fill
from etl_assets.sandbox.open_dental.live import live_on, purge
from etl_assets.sandbox.open_dental.practice import TODAY, Practice
from etl_assets.warehouse.connection import TRANSFORMER, connect
from etl_assets_tests.explained_cells import differing_cells, unlisted_parts
from etl_assets_tests.open_dental_schema import create_statements, keyed, read_schema
from etl_assets_tests.orchestration.installation import Installation

PATIENTS = 60
KEEPERS = "histappointment securitylog securityloghash"


@dataclass(frozen=True)
class Clinic:
    """An installation, and the database of the practice that it loads."""

    at: Installation
    url: str
    filled: dict[str, int]

    def ask(self, question: str) -> list[tuple]:
        """A question to the source."""
        connection = open_connection(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(question)
                return list(cursor.fetchall())
        finally:
            connection.close()


def reaching(installation: Installation, url: str) -> Installation:
    return replace(installation, environment={**installation.environment, "ETL_OPEN_DENTAL_URL": url})


@pytest.fixture(scope="module")
def clinic(installation: Installation, new_mysql_database: Callable[[], str]) -> Clinic:
    """A practice that was loaded and built once."""
    url = new_mysql_database()
    filled = fill(url, patients=PATIENTS)
    ready = reaching(installation, url)
    ready.etl("run", "open_dental")
    return Clinic(ready, url, filled)


def counted(clinic: Clinic) -> dict[str, int]:
    return {table: clinic.at.query(f"select count(*) from open_dental.{table}")[0][0] for table in clinic.filled}


def results(clinic: Clinic, rule: str) -> dict[str, bool]:
    """How the newest check of that name went, by table."""
    return dict(
        clinic.at.query(
            "select distinct on (relation) split_part(relation, '.', 2), passed from etl.quality_result"
            " where rule = %s order by relation, checked_at desc",
            rule,
        )
    )


def test_every_row_of_every_table_arrives_and_matches(clinic) -> None:
    # The mark of the sandbox is a row of `preference` that is written last.
    expected = {**clinic.filled, "preference": clinic.ask("select count(*) from preference")[0][0]}
    assert counted(clinic) == expected
    matches = results(clinic, "matches_source")
    assert {name for name, rows in expected.items() if rows} <= set(matches)
    assert [name for name, passed in matches.items() if not passed] == []


def test_what_the_practice_earned_is_in_the_mart_to_the_cent(clinic) -> None:
    books = Practice(1, patients=PATIENTS).books().total()
    found = clinic.at.query(
        "select sum(gross_production), sum(net_production), sum(insurance_income), sum(patient_income)"
        " from open_dental_mart.mart_daily_financials"
    )
    assert found == [(books.production, books.net_production, books.insurance_income, books.patient_income)]


def test_every_cell_is_what_its_rows_give(clinic) -> None:
    with connect(clinic.at.settings, role=TRANSFORMER) as connection:
        assert differing_cells(connection, "open_dental") == {}
        assert unlisted_parts(connection, "open_dental") == {}


def test_no_secret_is_in_staging(clinic) -> None:
    columns = {
        name
        for (name,) in clinic.at.query(
            "select attname::text from pg_attribute where attrelid = 'open_dental.userod'::regclass and attnum > 0"
        )
    }
    assert "username" in columns
    assert not columns & {"password", "passwordhash", "loginpassword"}


def test_running_again_writes_nothing(clinic) -> None:
    before = clinic.at.fingerprint()
    assert {"open_dental.patient", "open_dental_mart.fact_procedure"} <= set(before)
    told = clinic.at.etl("run", "open_dental")
    assert " 0 rows changed" in told
    assert clinic.at.fingerprint() == before


def test_a_run_in_which_nothing_changed_leaves_few_records(clinic) -> None:
    """The one before: see docs/decisions/0016 for what it left once."""
    with psycopg.connect(clinic.at.settings.dagster_url) as connection:

        def ask(question: str) -> list[tuple]:
            newest = "run_id = (select run_id from runs order by id desc limit 1)"
            return connection.execute(f"{question} where {newest}").fetchall()

        ((events, materialised, checked, size),) = ask(
            "select count(*), count(*) filter (where dagster_event_type = 'ASSET_MATERIALIZATION'),"
            " count(*) filter (where dagster_event_type = 'ASSET_CHECK_EVALUATION'), sum(length(event)) from event_logs"
        )
        ((results, of_staging, size_of_results),) = ask(
            "select count(*), count(*) filter (where asset_key like '[\"open_dental\",%'),"
            " coalesce(sum(length(evaluation_event)), 0) from asset_check_executions"
        )
    assert materialised > 80, "staging's, by which freshness is told; no model was written"
    assert checked == results
    assert of_staging == 0, "its tables have not changed: what was found of them stands"
    assert events - materialised - checked < 50
    assert size + size_of_results < 3_000_000


def test_a_day_s_work_arrives_and_what_moved_no_stamp_by_the_sweep(clinic) -> None:
    changes = live_on(clinic.url, date(2026, 3, 2))
    (silent,) = changes.silent
    clinic.at.etl("run", "open_dental", "--only-load")
    for table, keys in changes.deleted.items():
        key = clinic.ask(f"select column_name from information_schema.columns where table_name = '{table}'"
                         " and table_schema = database() and column_key = 'PRI'")[0][0].lower()  # fmt: skip
        held = clinic.at.query(f"select count(*) from open_dental.{table} where {key} = any(%s)", list(keys))[0][0]
        assert held == (len(keys) if table in KEEPERS.split() else 0), table
    assert counted(clinic) == {table: clinic.ask(f"select count(*) from {table}")[0][0] for table in clinic.filled}

    def fees() -> tuple[object, object]:
        (ours,), (theirs,) = (
            clinic.at.query(f"select round(sum(amount)::numeric, 2)::float8 from open_dental.{silent}"),
            clinic.ask(f"select round(sum(Amount), 2) from {silent}"),
        )
        return ours[0], theirs[0]

    ours, theirs = fees()
    assert ours != theirs
    clinic.at.etl("run", "open_dental", "--only-load", "--sweep")
    ours, theirs = fees()
    assert ours == theirs
    assert [name for name, passed in results(clinic, "matches_source").items() if not passed] == []


def test_an_appointment_book_that_was_purged_is_kept_and_it_is_told(clinic) -> None:
    before = counted(clinic)["histappointment"]
    gone = purge(clinic.url, TODAY)
    assert gone > 100
    clinic.at.etl("run", "open_dental", "histappointment", "--only-load")
    assert counted(clinic)["histappointment"] == before
    assert results(clinic, "outlives_source")["histappointment"] is False


def test_a_dry_run_says_how_each_table_of_a_class_would_be_read(clinic) -> None:
    told = clinic.at.etl("run", "open_dental", "--importance", "critical", "--dry-run")
    assert "what was stamped since" in told
    assert "paysplit" in told
    assert "reference" not in told


def test_an_old_target_is_compared_switched_to_and_left(clinic) -> None:
    with connect(clinic.at.settings, role=None) as connection:
        for statement in (
            "create schema raw",
            "create table raw.claim as select * from open_dental.claim",
            "update raw.claim set claimfee = claimfee + 1 where claimnum = (select min(claimnum) from raw.claim)",
            "grant usage on schema raw to etl_loader",
            "grant select on raw.claim to etl_loader",
        ):
            connection.execute(statement)
    told = clinic.at.etl("compare", "open_dental", "claim")
    assert "claim" in told
    assert "1 rows differ; columns whose sums do: claimfee" in told
    for place, fee in (("old", 1), ("new", 0)):
        clinic.at.etl("switch", "open_dental", "claim", "--to", place, "--by", "Ito")
        ((apart,),) = clinic.at.query(
            "select sum(live.claimfee - ours.claimfee)::int from open_dental_live.claim as live"
            " join open_dental.claim as ours using (claimnum)"
        )
        assert apart == fee
    assert "open_dental.claim" in clinic.at.etl("switch", "open_dental")


def test_a_load_is_taken_back_and_the_next_one_brings_it_again(clinic) -> None:
    before = clinic.at.query("select md5(string_agg(claim::text, ',' order by claimnum)) from open_dental.claim")
    clinic.ask("update claim set ClaimNote = 'a slip', SecDateTEdit = now() where ClaimNum > 0")
    clinic.at.etl("run", "open_dental", "claim", "--only-load")
    assert clinic.at.query("select count(*) from open_dental.claim where claimnote = 'a slip'")[0][0] > 0
    clinic.at.etl("rollback", "open_dental", "claim")
    assert (
        clinic.at.query("select md5(string_agg(claim::text, ',' order by claimnum)) from open_dental.claim") == before
    )
    clinic.at.etl("run", "open_dental", "claim", "--only-load")
    assert clinic.at.query("select count(*) from open_dental.claim where claimnote <> 'a slip'") == [(0,)]


def test_an_audit_table_lets_go_by_decision_alone(clinic) -> None:
    refused = clinic.at.etl("rollback", "open_dental", "securitylog", expected=1)
    assert "outlives its source" in refused
    words = ("--column", "logdatetime", "--before", "2025-01-01", "--by", "Ito", "--why", "kept seven years")
    told = clinic.at.etl("retain", "open_dental", "securitylog", *words)
    assert "rows before 2025-01-01 deleted" in told
    assert clinic.at.query("select done_by, reason from etl.retention") == [("Ito", "kept seven years")]


def test_all_440_tables_are_loaded_in_one_run_and_the_next_one_writes_nothing(
    installation: Installation, new_mysql_database: Callable[[], str], new_database: Callable[[], str], real_data: Path
) -> None:
    url = new_mysql_database()
    schema = read_schema(real_data)
    connection = open_connection(url)
    with connection.cursor() as cursor:
        cursor.execute("set sql_mode = ''")
        for statement in create_statements(schema):
            cursor.execute(statement)
        cursor.execute("insert into zipcode (ZipCodeDigits, City) values ('97301', 'Salem')")
    connection.close()
    fresh = reaching(installation, url)
    fresh.environment["ETL_WAREHOUSE_URL"] = new_database()
    assert " 1 rows changed" in fresh.etl("run", "open_dental", "--only-load")
    assert fresh.query("select count(*) from etl.extraction") == [(len(keyed(schema)),)]
    before = fresh.query(
        "select relation, count(*) from etl.table_load where relation like 'open_dental.%' group by relation"
    )
    assert len(before) == 440
    assert " 0 rows changed" in fresh.etl("run", "open_dental", "--only-load")
    assert "tables.yaml says what Open Dental has" in fresh.etl("discover", "open_dental", "--check")


def test_a_source_that_cannot_be_reached_is_told_without_its_password(installation: Installation) -> None:
    away = reaching(installation, "mysql://etl:hush-hush@127.0.0.1:1/opendental")
    told = away.etl("run", "open_dental", "patient", "--only-load", expected=1)
    assert "127.0.0.1" in told
    assert "hush-hush" not in told


def test_a_cell_is_explained_down_to_the_key_and_the_broken_rule(clinic) -> None:
    payment = clinic.at.query("select min(payment_num) from open_dental_mart.fact_payment_split where amount > 0")[0][0]
    clinic.ask(f"update payment set PayDate = '2199-01-01' where PayNum = {payment}")
    clinic.at.etl("run", "open_dental")
    [(provider, office, income)] = clinic.at.query(
        "select provider_num, clinic_num, patient_income from open_dental_mart.mart_daily_financials"
        " where business_date = '2199-01-01' limit 1"
    )
    where = f"business_date=2199-01-01 and provider_num={provider} and clinic_num={office}"
    words = ("open_dental_mart.mart_daily_financials", "--where", where, "--column", "patient_income")
    said = clinic.at.etl("explain", *words, expected=0)
    assert f"patient_income {income} {income} sum of payment_splits: patient_income" in " ".join(said.split())
    assert f"    open_dental.payment paynum {payment}: batch " in said
    assert "warning: DateOutOfRange (paydate)" in said


def test_patients_numbers_are_read_by_those_who_say_so(clinic) -> None:
    [(guarantor, day)] = clinic.at.query(
        "select guarantor_num, snapshot_date from open_dental_mart.mart_ar_aging order by balance desc limit 1"
    )
    words = ("open_dental_mart.mart_ar_aging", "--where", f"guarantor_num={guarantor} and snapshot_date={day}")
    assert "Who may read these says so: --personal" in clinic.at.etl("explain", *words, expected=1)
    assert "open_dental.procedurelog procnum" in clinic.at.etl("explain", *words, "--personal", "--most", "1000")
