"""Models say by meta which of their columns hold persons, and Open Dental's do."""

from etl_assets.orchestration.models.subject_columns import read_subject_columns, subject_columns
from etl_assets.sources.open_dental import SOURCE
from etl_assets.warehouse.database.person_models import SubjectColumn
from etl_assets.warehouse.relation import Relation


def test_meta_is_read_wherever_dbt_puts_it() -> None:
    columns = {
        "one": {"meta": {"subject": "patient"}},
        "two": {"meta": {}, "config": {"meta": {"subject": ["patient", "professional"]}}},
        "three": {"meta": {"personal": True}},
    }
    node = {"schema": "clinic", "name": "dim", "alias": "dim_people", "columns": columns}
    found = {(each.column, each.subject) for each in read_subject_columns({"model.dim": node})}
    assert found == {("one", "patient"), ("two", "patient"), ("two", "professional")}


def test_open_dentals_models_say_where_patients_are() -> None:
    found = subject_columns(SOURCE)
    dim = SubjectColumn(relation=Relation("open_dental_mart", "dim_patient"), column="patient_num", subject="patient")
    assert dim in found
    assert len(found) > 10
