"""Proof of completeness of copied tables: with a key, without one, and where rows outlive their source."""

from etl_assets.warehouse.connection import LOADER, connect
from etl_assets.warehouse.proof import TableProof, prove_table
from etl_assets.warehouse.relation import Relation
from etl_assets_tests.loading.database.clinic import Clinic


def proof_of(clinic: Clinic, relation: Relation) -> TableProof:
    with connect(clinic.settings, autocommit=True) as connection:
        return prove_table(connection, relation)


def by_somebody(clinic: Clinic, statement: str, role: str | None = LOADER) -> None:
    with connect(clinic.settings, role=role, autocommit=True) as connection:
        connection.execute(statement)


def by_hand(proof: TableProof) -> list[tuple[str, int, list[str]]]:
    """Operation, rows and keys of each write by hand."""
    return [(each.operation, each.rows, list(each.keys)) for each in proof.writes_by_hand]


def test_a_database_s_rows_are_counted_from_its_first_load_on(clinic: Clinic) -> None:
    clinic.add("patient", *(f"'p{n}'" for n in range(30)), columns="LName")
    clinic.take("patient")
    relation = Relation("open_dental", "patient")
    proof = proof_of(clinic, relation)
    assert (proof.is_counted, by_hand(proof), list(proof.uncounted_keys)) == (True, [], [])
    assert proof.loads[0].source_said == {"rows_compared": 30}
    clinic.execute("delete from patient where PatNum in (3, 4)")
    clinic.take("patient")
    assert by_hand(proof_of(clinic, relation)) == []
    by_somebody(clinic, "delete from open_dental.patient where patnum in (7, 9)")
    assert by_hand(proof_of(clinic, relation)) == [("delete", 2, ["7", "9"])]
    clinic.take("patient", full_compare=True)
    assert by_hand(proof_of(clinic, relation)) == []


def test_rows_of_a_table_without_a_key_are_counted_without_names(clinic: Clinic) -> None:
    clinic.add("leftover", "'a', 1", "'b', 2", columns="Word, Amount")
    clinic.take("leftover")
    clinic.add("leftover", "'c', 3", columns="Word, Amount")
    clinic.take("leftover")
    relation = Relation("open_dental", "leftover")
    assert proof_of(clinic, relation).uncounted_keys == []
    by_somebody(clinic, "delete from open_dental.leftover where word = 'a'")
    assert [(operation, rows) for operation, rows, _ in by_hand(proof_of(clinic, relation))] == [("delete", 1)]


def test_what_outlives_its_source_is_counted_and_a_retention_decision_is_no_write_by_hand(clinic: Clinic) -> None:
    clinic.add("securitylog", "'old', '2001-01-01'", "'new', '2025-01-01'", columns="LogText, LogDateTime")
    clinic.take("securitylog")
    relation = Relation("open_dental", "securitylog")
    by_somebody(
        clinic, "select etl.retain('open_dental.securitylog', 'logdatetime', '2010-01-01', 'Ada', 'old')", role=None
    )
    proof = proof_of(clinic, relation)
    assert (proof.is_counted, by_hand(proof), list(proof.uncounted_keys)) == (True, [], [])
    assert clinic.query("select count(*) from open_dental.securitylog") == [(1,)]
