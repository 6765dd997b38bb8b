"""Proof of completeness: a row that no load deleted is named, whoever deleted it."""

import random
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from etl_assets import cli
from etl_assets.loading.rest import jobs
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.proof import TableProof, UncountedKeys, prove_table, recount
from etl_assets.warehouse.relation import Relation
from etl_assets_tests.loading.files.pipeline import cases, drop, load, row
from etl_assets_tests.loading.rest.trial_office import Office, open_office

CASES = Relation("stg", "or_case")
SUBJECTS = Relation("office_raw", "subjects_staging")
TABLE = "office_raw.subjects_staging"


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation as the command finds it, with its landing folder."""
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url or "")
    landing = settings.landing("operating_room")
    landing.mkdir(parents=True)
    return landing


@pytest.fixture
def hands(settings: Settings) -> Iterator[psycopg.Connection]:
    """Somebody at the warehouse with a client of his own, as the loader."""
    with connect(settings, autocommit=True) as connection:
        yield connection


@pytest.fixture
def office(settings: Settings, tmp_path: Path) -> Iterator[Office]:
    with open_office(settings, tmp_path) as opened:
        opened.load()
        yield opened


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    def told(*words: str, exit_code: int = 0) -> str:
        assert cli.main(["prove", *words]) == exit_code
        captured = capsys.readouterr()
        return captured.out + captured.err

    return told


def keys(proof: TableProof) -> list[tuple[str, int, list[str]]]:
    """Operation, rows and keys of each write by hand."""
    return [(each.operation, each.rows, list(each.keys)) for each in proof.writes_by_hand]


def test_the_command_tells_what_the_source_said_and_names_a_row_that_was_deleted(settings, home, hands, told) -> None:
    drop(home, "or_case_1.csv", row("A"), row("B"), row("C"), "D,no date,1,,")
    load(settings)
    size = (home / "or_case_1.csv").stat().st_size
    proof = told("operating_room", "or_case")
    assert f"the source said 4 rows, {size:,} bytes; 3 taken, 1 refused (surgery_date);" in proof
    assert "3 rows were held then" in proof
    assert "No key is missing" in proof
    hands.execute("set application_name = 'psql'; delete from stg.or_case where case_id = 'B'")
    fault = told("operating_room", "or_case", exit_code=1)
    assert "stg.or_case: 1 row deleted by hand" in fault
    assert "by etl (psql): key |B" in fault
    assert "etl run operating_room or_case --from DATE --to DATE" in fault
    load(settings, reload=True)
    assert "No key is missing" in told("operating_room")
    assert [case for case, _, _ in cases(hands)] == ["A", "B", "C"]


def test_what_is_accepted_is_told_no_more_and_needs_a_name_and_a_reason(settings, home, hands, told) -> None:
    drop(home, "or_case_1.csv", row("A"), row("B"))
    load(settings)
    hands.execute("delete from stg.or_case where case_id = 'A'")
    assert "by somebody, for a reason" in told("operating_room", "or_case", "--accept-by", "Ada", exit_code=1)
    assert "Name the table" in told("operating_room", "--accept-by", "Ada", "--why", "a test row", exit_code=1)
    assert "key |A" in told("operating_room", "or_case", exit_code=1)
    told("operating_room", "or_case", "--accept-by", "Ada", "--why", "a test row")
    assert hands.execute("select settled_by, why from etl.write_by_hand").fetchall() == [("Ada", "a test row")]
    told("operating_room", "or_case")


def test_a_row_that_somebody_puts_in_is_named_until_it_is_gone(settings, home, hands) -> None:
    drop(home, "or_case_1.csv", row("A"))
    load(settings)
    hands.execute(
        'insert into stg.or_case select (jsonb_populate_record(held, \'{"case_id": "X"}\')).* from stg.or_case as held'
    )
    assert keys(prove_table(hands, CASES)) == [("insert", 1, ["|X"])]
    hands.execute("delete from stg.or_case where case_id = 'X'")
    assert keys(prove_table(hands, CASES)) == []


def test_rows_that_a_load_deletes_and_moves_are_its_own(settings, home, hands) -> None:
    drop(home, "or_case_1.csv", *[row(f"A{at:02}") for at in range(20)])
    load(settings)
    drop(home, "or_case_2.csv", *[row(f"A{at:02}") for at in range(5, 25)])
    load(settings)
    proof = prove_table(hands, CASES)
    assert (keys(proof), list(proof.uncounted_keys)) == ([], [])
    assert proof.loads[0].rows_held == 20


def past_the_counting(office: Office, statement: str) -> None:
    office.execute(
        f"begin; set local role etl_loader; alter table {TABLE} disable trigger user; {statement};"
        f" alter table {TABLE} enable trigger user; commit"
    )


def test_what_was_done_past_the_counting_is_named_where_one_key_of_a_bucket_differs(office, hands) -> None:
    past_the_counting(office, f"delete from {TABLE} where source_instance_id = 1 and study_id = 2 and entity_id = 0")
    assert prove_table(hands, SUBJECTS).uncounted_keys == [UncountedKeys(rows=1, key="1|2|0")]
    past_the_counting(
        office, f"update {TABLE} set entity_id = 77 where source_instance_id = 2 and study_id = 3 and entity_id = 1"
    )
    found = prove_table(hands, SUBJECTS).uncounted_keys
    assert sum(each.rows for each in found) == 1
    assert UncountedKeys(rows=1, key="1|2|0") in found


def test_a_row_that_a_load_brings_back_past_the_counting_is_accepted_by_somebody(office, hands) -> None:
    past_the_counting(office, f"delete from {TABLE} where study_id = 1 and entity_id = 1")
    office.load()
    assert sum(each.rows for each in prove_table(hands, SUBJECTS).uncounted_keys) == 2
    recount(hands, SUBJECTS, by="Ada", why="restored from a backup")
    assert prove_table(hands, SUBJECTS).uncounted_keys == []
    assert office.query(f"select counted_by, why from etl.counted_table where relation = '{TABLE}'") == [
        ("Ada", "restored from a backup")
    ]


def test_an_emptied_table_is_told_until_every_tenant_was_loaded_again(office, hands) -> None:
    office.execute(f"truncate {TABLE}")
    assert keys(prove_table(hands, SUBJECTS)) == [("truncate", 24, [])]
    office.load(instances=["north"])
    assert keys(prove_table(hands, SUBJECTS)) == [("truncate", 24, [])]
    office.load()
    proof = prove_table(hands, SUBJECTS)
    assert (keys(proof), list(proof.uncounted_keys)) == ([], [])
    assert len(office.held("subjects_staging")) == 24


def test_what_a_load_did_in_several_parts_is_added_up(office, hands, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "CHUNK_PARENTS", 3)
    office.load()
    ((parts,),) = office.query(
        f"select count(*) from etl.table_load where relation = '{TABLE}' and instance = 'north'"
        " and batch_id = (select batch_id from etl.table_load order by load_id desc limit 1)"
    )
    north = prove_table(hands, SUBJECTS).loads[0]
    assert (parts, north.source_said, north.rows_read) == (2, {"parents": 4}, 12)


def test_each_tenant_s_newest_load_says_how_many_it_was_asked_for(office, hands) -> None:
    loads = prove_table(hands, SUBJECTS).loads
    assert [(each.instance, each.source_said) for each in loads] == [
        ("north", {"parents": 4}),
        ("south", {"parents": 4}),
    ]


def test_writes_of_many_loads_add_up_and_are_folded(office, hands) -> None:
    rng = random.Random(17)  # noqa: S311 (a history, and no secret)
    for _ in range(6):
        for tenant in ("north", "south"):
            listed = office.lists[tenant]["studies/1/subjects"]
            listed[:] = [each for each in listed if rng.random() < 0.8]
            listed += [
                {"id": number, "study": {"id": 1}, "name": "new"}
                for number in rng.sample(range(100, 10_000), rng.randrange(40))
                if number not in {each["id"] for each in listed}
            ]
        office.load(accept_shrink=True)
    assert prove_table(hands, SUBJECTS).uncounted_keys == []
    lines = f"select count(*) from etl.key_digest where relation = '{TABLE}'"
    ((before,),) = office.query(lines)
    hands.execute("select etl.fold_key_digests()")
    assert office.query(lines) == [(16,)] != [(before,)]
    assert prove_table(hands, SUBJECTS).uncounted_keys == []
    held = office.query(f"select sum(n), (select count(*) from {TABLE}) from etl.key_digest where relation = '{TABLE}'")
    assert held[0][0] == held[0][1]


def test_the_loader_cannot_make_the_sums_say_something_else(office, hands) -> None:
    for table in ("key_digest", "write_by_hand", "counted_table"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hands.execute(f"delete from etl.{table}")
