"""What others do with TrackTik's part of the warehouse: the brief's own SQL, who may read what, the control views."""

import json
from uuid import uuid4

import psycopg
import pytest

from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Counts, open_batch, record_failed_build, record_load, record_watermark
from etl_assets.warehouse.relation import Relation
from etl_assets_tests.sql.column_types import check_column_types
from etl_assets_tests.sql.dbt_runs import Dbt, Outcome
from etl_assets_tests.sql.tracktik_documents import client, employee, make_staging, position, put, region, shift

SHIFTS = [shift(number, f"2025-06-{number:02}T08:00:00", 8, 1, 5) for number in (1, 2, 13, 20)]


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """The models on a handful of shifts."""
    make_staging(warehouse)
    put(warehouse, "regions", region(1, "North"))
    put(warehouse, "clients", client(3, "Harbour", 1))
    put(warehouse, "employees", employee(1))
    put(warehouse, "positions", position(5, 3))
    put(warehouse, "shifts", *SHIFTS)
    return dbt("run", "--select", "path:models/tracktik", batch_id=str(uuid4()))


BRIEFS_COLUMNS = {
    "dim_regions": "region_id:integer custom_id:text name:text parent_region_id:integer parent_region_name:text"
    " company:text status:text",
    "dim_clients": "client_id:integer custom_id:text name:text region_id:integer region_name:text"
    " parent_region_name:text time_zone:text address:jsonb",
    "dim_employees": "employee_id:integer custom_id:text first_name:text last_name:text email:text phone:text"
    " status:text region_id:integer region_name:text",
    "dim_positions": "position_id:integer custom_id:text name:text client_id:integer status:text position_type:text"
    " client_name:text client_custom_id:text",
}
HISTORY = (
    "surrogate_key:bigint valid_from:timestamp_with_time_zone valid_to:timestamp_with_time_zone is_current:boolean"
    " etl_batch_id:uuid created_at:timestamp_with_time_zone updated_at:timestamp_with_time_zone"
)


@pytest.mark.parametrize("dimension", BRIEFS_COLUMNS)
def test_a_dimension_has_the_columns_of_the_brief(
    warehouse: psycopg.Connection, built: dict[str, Outcome], dimension: str
) -> None:
    existing = columns_of(warehouse, dimension)
    wanted = dict(each.split(":") for each in f"{BRIEFS_COLUMNS[dimension]} {HISTORY}".split())
    assert {name: existing.get(name) for name in wanted} == {
        name: kind.replace("_", " ") for name, kind in wanted.items()
    }


def columns_of(warehouse: psycopg.Connection, relation: str) -> dict[str, str]:
    """The columns of a relation and their types."""
    rows = warehouse.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_schema = 'tracktik' and table_name = %s",
        [relation],
    )
    return dict(rows.fetchall())


def test_the_briefs_upsert_finds_its_index(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    with warehouse.transaction(force_rollback=True):
        for name in ("East", "Far east"):
            warehouse.execute(
                """
                INSERT INTO tracktik.dim_regions (
                    region_id, custom_id, name, parent_region_id, parent_region_name, valid_from, is_current,
                    etl_batch_id
                ) VALUES (77, 'R77', %s, NULL, NULL, CURRENT_TIMESTAMP, TRUE, %s)
                ON CONFLICT (region_id) WHERE is_current = TRUE
                DO UPDATE SET name = EXCLUDED.name, updated_at = CURRENT_TIMESTAMP
                """,
                [name, uuid4()],
            )
        existing = warehouse.execute("select name, is_current from tracktik.dim_regions where region_id = 77")
        assert existing.fetchall() == [("Far east", True)]


def test_the_briefs_function_says_the_period_of_the_fact(
    warehouse: psycopg.Connection, built: dict[str, Outcome]
) -> None:
    differing = warehouse.execute(
        "select shift_id from tracktik.fact_shifts"
        " where tracktik.get_billing_period(shift_date) is distinct from billing_period_id"
    )
    assert differing.fetchall() == []


def test_a_query_of_one_period_reads_one_partition(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    plan = warehouse.execute(
        "explain (format json) select sum(bill_total) from tracktik.fact_shifts where billing_period_id = '2025_12'"
    ).fetchone()
    text = json.dumps(plan)
    assert "fact_shifts_2025_12" in text
    assert "fact_shifts_2025_13" not in text


def test_the_key_of_the_fact_is_the_briefs_and_every_row_tells_its_batch(
    warehouse: psycopg.Connection, built: dict[str, Outcome]
) -> None:
    key = warehouse.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'tracktik.fact_shifts'::regclass"
        " and contype = 'p'"
    )
    assert key.fetchall() == [("PRIMARY KEY (billing_period_id, shift_id)",)]
    batches = warehouse.execute("select count(*), count(distinct etl_batch_id) from tracktik.fact_shifts")
    assert batches.fetchall() == [(len(SHIFTS), 1)]


def test_columns_have_the_types_that_the_ui_shows(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    check_column_types(warehouse, "tracktik", "tracktik_typed")


def described(dbt: Dbt) -> dict[str, tuple[set[str], set[str]]]:
    """Each relation of the schema that readers see, with the columns that its yml describes: open and personal."""
    nodes = json.loads((dbt.folder / "target" / "manifest.json").read_text())["nodes"].values()
    return {
        node["alias"]: (
            {name for name, column in node["columns"].items() if not column["meta"].get("personal")},
            {name for name, column in node["columns"].items() if column["meta"].get("personal")},
        )
        for node in nodes
        if node["resource_type"] == "model" and node["schema"] == "tracktik"
    }


def test_a_reader_reads_every_column_that_is_not_personal(
    warehouse: psycopg.Connection, dbt: Dbt, built: dict[str, Outcome]
) -> None:
    for relation, (columns, personal) in described(dbt).items():
        assert set(columns_of(warehouse, relation)) == columns | personal, relation
        with warehouse.transaction(force_rollback=True):
            warehouse.execute("set local role etl_reader")
            warehouse.execute(f"select {', '.join(columns)} from tracktik.{relation}")
            warehouse.execute("set local role etl_personal_reader")
            warehouse.execute(f"select * from tracktik.{relation}")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select first_name from tracktik.dim_employees", id="a first name"),
        pytest.param("select last_name from tracktik.v_current_employees", id="a last name, by a view"),
        pytest.param("select employee_last_name from tracktik.v_standby_shifts", id="the name of who has a shift"),
        pytest.param("select employee_name from tracktik.mart_overtime", id="the name of who works overtime"),
        pytest.param("select address from tracktik.dim_clients", id="a client's address"),
        pytest.param("select * from tracktik.v_current_employees", id="a whole row with a name in it"),
        pytest.param("select email from tracktik.dim_employees", id="a mail address"),
        pytest.param("select phone from tracktik.dim_employees", id="a phone number"),
        pytest.param("select raw_data from tracktik.fact_shifts", id="a document"),
        pytest.param("select raw_data from tracktik.fact_shifts_2025_12", id="a document, by its partition"),
        pytest.param("select first_name from tracktik_typed.stg_employees", id="a typed view"),
        pytest.param("select id from tracktik_staging.employees", id="a staging table"),
        pytest.param("select issue_data from tracktik.data_quality_issues", id="what was found"),
        pytest.param("delete from tracktik.dim_regions", id="writing"),
    ],
)
def test_a_reader_is_refused(warehouse: psycopg.Connection, built: dict[str, Outcome], query: str) -> None:
    warehouse.execute("set role etl_reader")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute(query)
    warehouse.execute("reset role")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select raw_data from tracktik_staging.employees", id="a document"),
        pytest.param("select first_name from tracktik_typed.stg_employees", id="a typed view"),
        pytest.param("delete from tracktik.dim_regions", id="writing"),
    ],
)
def test_a_reader_of_personal_columns_reads_no_staging(
    warehouse: psycopg.Connection, built: dict[str, Outcome], query: str
) -> None:
    warehouse.execute("set role etl_personal_reader")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute(query)
    warehouse.execute("reset role")


CONTROL = {
    "etl_batches": "batch_id:uuid batch_type:character_varying status:character_varying"
    " started_at:timestamp_with_time_zone completed_at:timestamp_with_time_zone records_processed:integer"
    " records_failed:integer error_message:text metadata:jsonb",
    "etl_sync_status": "table_name:character_varying last_sync_timestamp:timestamp_with_time_zone"
    " last_successful_batch_id:uuid sync_metadata:jsonb",
    "data_quality_issues": "issue_id:integer batch_id:uuid table_name:character_varying record_id:character_varying"
    " issue_type:character_varying issue_description:text issue_data:jsonb",
}


@pytest.mark.parametrize("view", CONTROL)
def test_a_control_view_has_the_columns_of_the_brief(warehouse: psycopg.Connection, view: str) -> None:
    wanted = dict(each.split(":") for each in CONTROL[view].split())
    assert columns_of(warehouse, view) == {name: kind.replace("_", " ") for name, kind in wanted.items()}


def test_the_control_views_tell_what_the_ledger_knows(settings: Settings) -> None:
    shifts = Relation("tracktik_staging", "shifts")
    with connect(settings, autocommit=True) as ledger:
        with open_batch(settings, "tracktik", "load") as load:
            counts = Counts(rows_read=10, rows_inserted=7, rows_updated=2, rows_rejected=1)
            record_load(ledger, load, shifts, counts, seconds=0.1)
            record_load(ledger, load, shifts, Counts(rows_read=5, rows_unchanged=5), seconds=0.1)
            record_watermark(ledger, load, shifts, "2025-06-12")
            refuse(ledger, load.id)
        with open_batch(settings, "tracktik", "build") as build:
            build.connection.execute(
                "insert into etl.model_build (batch_id, relation, status, rows_changed, seconds)"
                " values (%s, 'tracktik.fact_shifts', 'success', 9, 1)",
                [build.id],
            )
            record_failed_build(build, "tracktik.mart_hours", status="error", error="division by zero", seconds=1)
        with pytest.raises(psycopg.OperationalError):
            die(settings, ledger)
        with open_batch(settings, "operating_room", "load"):
            batches = ledger.execute(
                "select batch_type, status, records_processed, records_failed, completed_at is not null"
                " from tracktik.etl_batches order by started_at"
            ).fetchall()
        tables = ledger.execute(
            "select table_name, last_successful_batch_id, sync_metadata from tracktik.etl_sync_status order by 1"
        ).fetchall()
        issues = ledger.execute(
            "select sign(issue_id), table_name, record_id, issue_type, issue_description, issue_data ->> 'rule'"
            " from tracktik.data_quality_issues order by 1"
        ).fetchall()
    assert batches == [
        ("load", "completed", 15, 1, True),
        ("build", "completed", 9, 0, True),
        ("load", "failed", 0, 0, True),
    ]
    assert tables == [
        ("fact_shifts", build.id, {"schema": "tracktik", "changed": 9}),
        (
            "shifts",
            load.id,
            {
                "schema": "tracktik_staging",
                "watermark": "2025-06-12",
                "read": 15,
                "inserted": 7,
                "updated": 2,
                "deleted": 0,
                "rejected": 1,
            },
        ),
    ]
    assert issues == [
        (-1, "shifts", "4711", "Rejected", "PostgreSQL cannot keep it as JSON", None),
        (1, "shifts", "12", "OutOfRange", "too long", "HoursOutOfRange"),
    ]


def refuse(ledger: psycopg.Connection, batch: object) -> None:
    """Enter a record that could not be kept, and a finding."""
    ledger.execute(
        "insert into etl.rejected_row (batch_id, relation, line_number, reason)"
        " values (%s, 'tracktik_staging.shifts', 4711, 'PostgreSQL cannot keep it as JSON')",
        [batch],
    )
    ledger.execute(
        "insert into etl.quality_issue (source, relation, rule, why, key, exception_type, severity, message,"
        " first_batch_id, last_batch_id) values ('tracktik', 'tracktik_staging.shifts', 'HoursOutOfRange', 'because',"
        " '12', 'OutOfRange', 'error', 'too long', %(batch)s, %(batch)s)",
        {"batch": batch},
    )


def die(settings: Settings, ledger: psycopg.Connection) -> None:
    """Work in a batch whose session ends in the midst of it."""
    with open_batch(settings, "tracktik", "load") as batch:
        ledger.execute("reset role")
        ledger.execute("select pg_terminate_backend(%s)", [batch.connection.info.backend_pid])
        ledger.execute("set role etl_loader")
        batch.connection.execute("select 1")
