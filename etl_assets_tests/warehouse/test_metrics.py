"""Metrics are what the ledger says, in the format that Prometheus' own parser reads."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Counts, open_batch, record_failed_build, record_load
from etl_assets.warehouse.metrics import metrics_text
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.table_failures import record_load_outcomes

CASE = Relation("stg", "or_case")


def samples(settings: Settings) -> dict[str, dict[tuple[str, ...], float]]:
    with connect(settings) as connection:
        text = metrics_text(connection)
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_what_the_ledger_says_is_measured(settings: Settings) -> None:
    with open_batch(settings, "operating_room", "load") as batch:
        record_load(batch.connection, batch, CASE, Counts(rows_read=2, rows_inserted=2), seconds=0)
        record_load_outcomes(batch, failed={"stg.or_schedule": "no such file"}, loaded=[])
        record_failed_build(batch, "operating_room.fact_case", status="error", error="division by zero", seconds=0)
        (moment,) = batch.connection.execute("select extract(epoch from max(loaded_at)) from etl.table_load").fetchone()
        batch.connection.execute('create table stg."odd ""name\\" as select 1 as one')
        found = samples(settings)
    assert found["etl_table_loaded_timestamp_seconds"][str(CASE),] == pytest.approx(float(moment), abs=0.01)
    assert found["etl_table_changed_timestamp_seconds"].keys() == {(str(CASE),)}
    assert found["etl_failed_tables"] == {("operating_room",): 1}
    assert found["etl_running_batches"] == {("load", "operating_room"): 1}
    assert found["etl_failed_models"] == {("operating_room",): 1}
    assert 'stg.odd "name\\' in {relation for (relation,) in found["etl_table_bytes"]}
    assert found["etl_warehouse_connections"][()] < found["etl_warehouse_max_connections"][()]
    assert "etl_running_batches" not in samples(settings)
