"""What is made of a database's own word, and where the shipped catalogue of Open Dental's 440 tables comes from."""

import difflib
import secrets
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from etl_assets.declare.catalogue import Catalogue, ClassRule, Override, parse_catalogue
from etl_assets.declare.copied_table import Incremental
from etl_assets.declare.database_reader import SourceColumn, SourceTable
from etl_assets.declare.staging_names import table_names
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError
from etl_assets.loading.database.discovery import build_catalogue, describe_left_out, discover, find_drift
from etl_assets.readers.database import connect_database, open_connection
from etl_assets.sources.open_dental import SOURCE
from etl_assets.sources.open_dental.tables import CATALOGUE
from etl_assets_tests.open_dental_schema import as_found, create_statements, keyed, read_schema

RULES = Catalogue(
    path=Path("room/tables.yaml"),
    classes=(
        ClassRule(importance="critical", why="money", names="bill"),
        ClassRule(importance="audit", why="log", names="*log"),
        ClassRule(importance="reference", why="the rest", names="*"),
    ),
    append_only={"bill": "a bill is never changed"},
    retain_deleted="bill",
    not_secret="rowhash",  # noqa: S106 (the name of a column)
    overrides={"bill": Override(never_load="cardtoken", event_date="billdate")},
)
# What the brief says of tables by name and by kind.
BRIEF = {
    "critical": "securitylog paysplit procedurelog histappointment sheetfield",
    "important": "claim claimproc claimpayment employee employer medicationpat allergy recall recalltrigger",
    "audit": "activeinstance sessiontoken updatehistory tsitranslog",
    "reference": "zipcode county stateabbr cpt icd9 icd10 hcpcs snomed loinc cvx ucum definition preference",
}


def column(name: str, kind: str = "bigint(20)", *, on_update_timestamp: bool = False) -> SourceColumn:
    staging = {"bigint(20)": "bigint", "timestamp": "timestamptz"}.get(kind, "text")
    return SourceColumn(name=name, type=kind, staging_type=staging, on_update_timestamp=on_update_timestamp)


def table(name: str, *more: SourceColumn, rows: int = 0, key: tuple[str, ...] | None = None) -> SourceTable:
    own = column(f"{name.title()}Num")
    return SourceTable(name=name, columns=(own, *more), key=(own.name,) if key is None else key, rows=rows)


def found(*tables: SourceTable) -> dict[str, SourceTable]:
    return {each.name: each for each in tables}


def line(*tables: SourceTable, name: str, held: str | None = None):
    return parse_catalogue(build_catalogue(found(*tables), RULES, held), "tables.yaml").tables[name]


BILL = table("bill", column("BillDate", "datetime"), column("CardToken", "text"), rows=5)
VISIT = table("visit", column("Enters", "timestamp"), column("DateTStamp", "timestamp", on_update_timestamp=True))


def test_only_a_column_that_the_database_moves_says_what_changed() -> None:
    assert line(VISIT, name="visit").load == Incremental(column="datetstamp")
    still = table("visit", column("Enters", "timestamp"), column("AptDateTime", "datetime"))
    assert line(still, name="visit").load == Full()


def test_rows_that_are_never_changed_are_found_by_their_key_unless_a_stamp_says_more() -> None:
    assert line(BILL, name="bill").load == Incremental(column="billnum")
    stamped = replace(BILL, columns=(*BILL.columns, column("SecDateTEdit", "timestamp", on_update_timestamp=True)))
    assert line(stamped, name="bill").load == Incremental(column="secdatetedit")
    texts = replace(BILL, columns=(column("BillNum", "varchar(20)"),))
    assert line(texts, name="bill").load == Full()


def test_importance_keeps_its_reason_and_audit_outlives_its_source() -> None:
    bill, log, rest = (line(BILL, table("visitlog"), VISIT, name=name) for name in ("bill", "visitlog", "visit"))
    assert (bill.importance, bill.why, bill.retain_deleted) == ("critical", "money", True)
    assert (log.importance, log.retain_deleted) == ("audit", True)
    assert (rest.importance, rest.retain_deleted) == ("reference", False)
    assert (bill.monitoring.alert_on_failure, rest.monitoring.alert_on_failure) == (True, False)
    assert bill.monitoring.data_quality_threshold > 0.99


@pytest.mark.parametrize(
    ("held", "rows", "size"),
    [
        (None, 9_999, "tiny"),
        (None, 10_000, "small"),
        (None, 1_000_000, "large"),
        (9_000, 19_999, "tiny"),
        (9_000, 20_000, "small"),
        (11_000, 5_000, "small"),
        (11_000, 4_999, "tiny"),
        (2_000_000, 500_000, "large"),
        (2_000_000, 0, "tiny"),
        (0, 5_000_000, "large"),
    ],
)
def test_a_table_keeps_its_size_until_it_has_clearly_left_it(held: int | None, rows: int, size: str) -> None:
    before = None if held is None else build_catalogue(found(replace(VISIT, rows=held)), RULES, None)
    assert line(replace(VISIT, rows=rows), name="visit", held=before).size == size


def test_of_whole_documents_fewer_are_read_at_a_time() -> None:
    light, heavy = (table("visit", column("Note", kind), rows=3_000_000) for kind in ("text", "mediumtext"))
    batches = [line(each, name="visit").batch_size for each in (light, heavy)]
    assert batches == [50_000, 5_000]


def test_a_table_without_a_key_is_left_out_with_the_reason() -> None:
    temporary, odd = table("tempbill", key=()), table("odd", column("my key"), key=("my key",))
    broad = table("broad", *(column(f"C{number}") for number in range(1599)))
    part = replace(table("bill_2024"), part_of="bill")
    there = found(BILL, temporary, odd, broad, part)
    text = build_catalogue(there, RULES, None)
    listing = parse_catalogue(text, "tables.yaml")
    assert list(listing.tables) == ["bill"]
    assert listing.left_out == {
        "bill_2024": "is a part of bill, with which its rows are read",
        "broad": "has more than 1,599 columns, and PostgreSQL no more; say in tables.py which are never_load",
        "odd": "has a key whose name is not made of letters, digits and underscores; to read all its rows each time,"
        " name it in read_whole of tables.py",
        "tempbill": "has no key; to read all its rows each time, name it in read_whole of tables.py",
    }
    assert find_drift(there, RULES, text) == []
    said = describe_left_out(text, "tables.yaml")
    assert said[0] == "bill_2024 is left out: it is a part of bill, with which its rows are read."
    assert [line.split()[0] for line in said] == ["bill_2024", "broad", "odd", "tempbill"]
    narrower = replace(RULES, overrides={"broad": Override(never_load="c7")})
    assert "broad" in parse_catalogue(build_catalogue(there, narrower, None), "tables.yaml").tables


def test_a_table_that_is_declared_so_is_read_whole_whether_it_has_a_key_or_not() -> None:
    rules = replace(RULES, read_whole="temp* visitlog")
    there = found(BILL, table("tempbill", key=()), table("visitlog", *VISIT.columns[1:]))
    text = build_catalogue(there, rules, None)
    listing = parse_catalogue(text, "tables.yaml")
    for name in ("tempbill", "visitlog"):
        listed = listing.tables[name]
        assert (listed.keys, listed.load, listed.retain_deleted) == ((), Full(), False)
    assert listing.left_out == {}
    assert find_drift(there, rules, text) == []


def test_tables_are_listed_by_the_names_that_they_have_in_staging() -> None:
    there = found(BILL, *(replace(table(name), renamed=renamed) for name, renamed in table_names(["C", "c"]).items()))
    text = build_catalogue(there, RULES, None)
    assert list(parse_catalogue(text, "tables.yaml").tables) == sorted(["bill", *table_names(["C", "c"]).values()])
    assert find_drift(there, RULES, text) == []


def test_a_database_without_tables_is_not_believed() -> None:
    with pytest.raises(EtlError, match="shows no table"):
        build_catalogue({}, RULES, None)


def test_drift_tells_of_a_table_that_is_spoken_of_and_gone() -> None:
    rules = replace(RULES, overrides={**RULES.overrides, "gone": Override(batch_size=1)})
    text = build_catalogue(found(BILL), rules, None)
    assert find_drift(found(BILL), rules, text) == ["gone: tables.py speaks of it, and the source has no such table."]


def test_drift_tells_of_a_personal_column_that_the_table_does_not_have() -> None:
    rules = replace(RULES, overrides={"visit": Override(personal="enters knownas")})
    text = build_catalogue(found(BILL, VISIT), rules, None)
    lines = [line for line in find_drift(found(BILL, VISIT), rules, text) if "tables.py speaks of" in line]
    assert lines == ["visit: tables.py speaks of knownas, and the source has no such column."]


def test_drift_says_what_became_of_each_table() -> None:
    held = build_catalogue(found(BILL, VISIT, table("gone")), RULES, None)
    assert find_drift(found(BILL, VISIT, table("gone")), RULES, held) == []
    moved = replace(VISIT, columns=(*VISIT.columns[:2], column("DateTStamp", "timestamp")), key=("Enters",))
    renamed = replace(BILL, columns=(*BILL.columns[:2], column("CardTokenNew"), column("RowHash")))
    assert find_drift(found(renamed, moved, table("fresh"), table("copy", key=())), RULES, held) == [
        "bill: CardTokenNew may be secret by name; not loaded until tables.py says never_load or not_secret.",
        "bill: tables.py speaks of cardtoken, and the source has no such column.",
        "copy: is new at the source, and is not loaded: it has no key; to read all its rows each time, name it in"
        " read_whole of tables.py.",
        "fresh: is new at the source, of 1 column (reference: the rest). It is not loaded yet.",
        "gone: is no longer at the source. What is held of it stays.",
        "visit: its key was visitnum and is enters.",
        "visit: what changed was found by datetstamp, and no column said what changed now.",
    ]


@pytest.mark.parametrize("importance", BRIEF)
def test_what_the_brief_names_is_in_the_class_that_it_gives(importance: str) -> None:
    by_name = {each.name: each.importance for each in SOURCE.tables}
    assert {name: by_name[name] for name in BRIEF[importance].split()} == dict.fromkeys(
        BRIEF[importance].split(), importance
    )
    assert {by_name[name] for name in ("patient", "appointment", "provider", "claim", "payment")} <= {
        "critical", "important",
    }  # fmt: skip


def test_definitions_types_and_preferences_are_reference() -> None:
    named = [each for each in SOURCE.tables if each.name.endswith(("def", "type", "pref"))]
    assert len(named) > 30
    assert {each.importance for each in named} == {"reference"}


def test_what_must_outlive_the_source_does() -> None:
    kept = {each.name for each in SOURCE.tables if each.retain_deleted}
    assert kept >= {each.name for each in SOURCE.tables if each.importance == "audit"}
    assert kept >= {"securitylog", "securityloghash", "histappointment", "inseditlog", "insverifyhist", "taskhist"}
    assert kept.isdisjoint({"procedurelog", "commlog", "claimcondcodelog", "patient"})  # a log in name alone


def test_no_business_date_is_taken_for_a_stamp() -> None:
    loads = {each.name: each.load for each in SOURCE.tables}
    assert loads["patient"] == loads["appointment"] == loads["commlog"] == Incremental(column="datetstamp")
    assert loads["paysplit"] == loads["claimproc"] == Incremental(column="secdatetedit")
    assert loads["claimtracking"] == Incremental(column="datetimeentry")
    assert loads["securitylog"] == Incremental(column="securitylognum")
    assert loads["procnote"] == Incremental(column="procnotenum")
    assert {loads[name] for name in ("sheetfield", "feeschednote", "schoolapproval", "alertitem")} == {Full()}
    by_stamp = [
        load.column for name, load in loads.items() if isinstance(load, Incremental) and load.column != f"{name}num"
    ]
    assert len(by_stamp) == 67
    assert set(by_stamp) == {"datetstamp", "secdatetedit", "datetimeentry"}


def test_the_shipped_catalogue_is_what_the_published_schema_makes(real_data: Path) -> None:
    held, made = CATALOGUE.path.read_text(), build_catalogue(as_found(read_schema(real_data)), CATALOGUE, None)
    told = "\n".join(difflib.unified_diff(held.splitlines(), made.splitlines(), "shipped", "made", n=0, lineterm=""))
    assert made == held, f"python -m etl_assets_tests.open_dental_schema writes it anew.\n{told[:3000]}"
    assert len(SOURCE.tables) == 440


def test_every_column_that_sounds_secret_has_been_decided_on(real_data: Path) -> None:
    found_there = as_found(read_schema(real_data))
    assert find_drift(found_there, CATALOGUE, CATALOGUE.path.read_text()) == []
    named = {name: {each.staging_name for each in table.columns} for name, table in found_there.items()}
    for each in SOURCE.tables:
        assert each.left_out(named[each.name]) == [name for name in named[each.name] if name in each.never_load]
        assert each.event_date is None or each.event_date in named[each.name]


def as_read_only(cursor, url: str) -> str:
    """The URL of an account that is made for the database as the README of the source has it made."""
    parts = urlsplit(url)
    database, account, password = parts.path.strip("/"), f"r_{secrets.token_hex(4)}", secrets.token_urlsafe(8)
    readme = CATALOGUE.path.with_name("README.md").read_text()
    statements = readme.split("```sql\n")[1].split("```")[0]
    named = {"'etl'@'10.0.0.5'": f"'{account}'@'%'", "'...'": f"'{password}'", "opendental.": f"{database}."}
    for given, ours in named.items():
        assert given in statements
        statements = statements.replace(given, ours)
    for statement in filter(str.strip, statements.split(";")):
        cursor.execute(statement)
    return urlunsplit(parts._replace(netloc=f"{account}:{password}@{parts.hostname}:{parts.port}"))


def test_all_440_tables_of_a_real_server_are_discovered_in_seconds(real_data: Path, new_mysql_database) -> None:
    schema, url = read_schema(real_data), new_mysql_database()
    connection = open_connection(url, driver="pymysql")
    with connection.cursor() as cursor:
        cursor.execute("set sql_mode=''")
        for statement in create_statements(schema):
            cursor.execute(statement)
        reader = connect_database({"url": as_read_only(cursor, url)})
    connection.close()
    try:
        began = time.monotonic()
        text = discover(reader, CATALOGUE, None)
        assert time.monotonic() - began < 30
        assert discover(reader, CATALOGUE, text) == text
        assert find_drift(reader.describe(), CATALOGUE, CATALOGUE.path.read_text()) == []
    finally:
        reader.close()
    empty = {name: {**table, "one_clinic": {}} for name, table in schema.items()}
    assert len(keyed(schema)) == 440
    assert text == build_catalogue(as_found(empty), CATALOGUE, None)
