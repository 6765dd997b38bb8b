"""A patient of Open Dental is shown, erased and searched for by the commands, with models and Dagster's records."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg
import pytest

from etl_assets.readers.database import open_connection
from etl_assets.sandbox.open_dental.fill import fill
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.orchestration.installation import Installation

EMAIL, NAME = "planted.person@nowhere.example", "Plantedname"
WORDS = f"{EMAIL}\n{NAME}\n"
SAID = ("--by", "privacy officer", "--why", "request 17 of the person")


@dataclass(frozen=True)
class Practice:
    """An installation, and the database that it loads."""

    at: Installation
    url: str

    def ask(self, statement: str) -> list[tuple]:
        connection = open_connection(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def held(self, patient: int) -> dict[str, int]:
        """Rows of staging and of the marts with the patient's number, by table."""
        columns = self.at.query(
            "select table_schema || '.' || table_name, column_name from information_schema.columns"
            " join pg_class on oid = to_regclass(format('%I.%I', table_schema, table_name)) and relkind = 'r'"
            " where (table_schema, column_name) in (('open_dental', 'patnum'), ('open_dental_mart', 'patient_num'))"
        )
        found = {
            table: self.at.query(f"select count(*) from {table} where {column} = %s", patient)[0][0]
            for table, column in columns
        }
        return {table: number for table, number in found.items() if number}

    def findings(self) -> tuple[int, int]:
        """Findings of payments whose dates cannot be, in the ledger and among the samples that Dagster keeps."""
        kept = """
            select coalesce(sum(regexp_count(event, '"key": "[0-9]+"')), 0)::integer from (
                select evaluation_event as event, asset_key from asset_check_executions
                union all select event, asset_key from event_logs
            ) as kept where asset_key like '%"payment"]' and event like '%DateOutOfRange%'"""
        with psycopg.connect(self.at.settings.dagster_url or "") as dagster:
            row = dagster.execute(kept.encode()).fetchone()
        ((number,),) = self.at.query(
            "select count(*) from etl.quality_issue where relation = 'open_dental.payment' and rule = 'DateOutOfRange'"
        )
        return number, row[0] if row else -1


@pytest.fixture(scope="module")
def practice(installation: Installation, new_mysql_database: Callable[[], str]) -> Practice:
    """A practice that was loaded and built, one of whose patients has a name and an address that nobody else has."""
    url = new_mysql_database()
    fill(url, patients=30)
    ready = replace(
        installation,
        environment={
            **installation.environment,
            "ETL_OPEN_DENTAL_URL": url,
            "ETL_OPEN_DENTAL_ERASURE_KEY": "planted-secret-planted-secret-planted",
        },
    )
    practice = Practice(ready, url)
    practice.ask(f"update patient set Email = '{EMAIL}', LName = '{NAME}' where PatNum = {somebody(practice)}")
    practice.ask(f"update payment set PayDate = '1985-01-01' where PatNum = {somebody(practice)}")
    ready.etl("run", "open_dental")
    return practice


def somebody(practice: Practice) -> int:
    """A patient with appointments who pays for nobody else."""
    rows = practice.ask(
        "select PatNum from patient where PatNum in (select PatNum from appointment)"
        " and PatNum in (select PatNum from histappointment) and PatNum in (select PatNum from securitylog)"
        " and PatNum in (select PatNum from payment)"
        " and PatNum not in (select Guarantor from patient where Guarantor <> PatNum) order by 1 desc limit 1"
    )
    return int(rows[0][0])


def test_a_patient_is_shown_and_erased_and_does_not_come_back(practice: Practice) -> None:
    patient, etl = somebody(practice), practice.at.etl
    before = practice.held(patient)
    assert {"open_dental.histappointment", "open_dental_mart.dim_patient", "open_dental_mart.fact_appointment"} <= set(
        before
    )
    assert min(practice.findings()) > 0
    shown = etl("subject", "open_dental", str(patient))
    assert f"  email: {EMAIL}" in shown
    assert "open_dental_mart.dim_patient\n" in shown
    found = etl("erase", "open_dental", str(patient), "--verify", "--also", expected=1, given=WORDS)
    assert "open_dental.patient.email" in found
    assert EMAIL not in found

    rehearsed = etl("erase", "open_dental", str(patient), *SAID)
    assert "Nothing was erased." in rehearsed
    assert practice.held(patient) == before
    receipt = etl("erase", "open_dental", str(patient), *SAID, "--yes")
    assert practice.held(patient) == {}
    assert practice.findings() == (0, 0)
    assert "       1  open_dental.patient\n" in receipt

    etl("run", "open_dental", "--sweep")
    assert practice.held(patient) == {}
    assert "Nowhere." in etl("erase", "open_dental", str(patient), "--verify", "--also", given=WORDS)
    failed = practice.at.query(
        "select relation from (select distinct on (relation) relation, passed from etl.quality_result"
        " where rule = 'matches_source' order by relation, checked_at desc) as latest where not passed"
    )
    assert failed == []
    assert practice.ask(f"select count(*) from appointment where PatNum <> {patient}") == practice.at.query(
        "select count(*) from open_dental.appointment"
    )
    assert "was erased on" in etl("erase", "open_dental", str(patient), *SAID, "--yes")


def test_a_wrong_key_is_told(practice: Practice) -> None:
    said = practice.at.etl("erase", "open_dental", "987654", *SAID, "--yes", expected=1)
    assert "Nothing is held of a person of open_dental by that key" in said
    shown = practice.at.etl("subject", "open_dental", "-", expected=1, given="987654\n")
    assert "Nothing is held of a person of open_dental by that key" in shown
    said = practice.at.etl("subject", "tracktik", "5", expected=1)
    assert "no database" in said


def test_nobody_is_erased_while_a_run_may_have_read_them(practice: Practice) -> None:
    somebody_else = practice.at.query("select max(patnum) from open_dental.patient")[0][0]
    words = ("erase", "open_dental", str(somebody_else), *SAID, "--yes")
    with open_batch(practice.at.settings, "open_dental", "build"):
        assert "a build is under way" in practice.at.etl(*words, expected=1)
    with open_batch(practice.at.settings, "tracktik", "build"):
        assert "Erased; the receipt is in etl.erasure." in practice.at.etl(*words)
