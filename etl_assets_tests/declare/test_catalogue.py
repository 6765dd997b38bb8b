"""The file of a database's tables: what is written is read again, and what is said by hand wins."""

from pathlib import Path

import pytest

from etl_assets.declare.catalogue import (
    Catalogue,
    CatalogueFile,
    ClassRule,
    Override,
    format_catalogue,
    parse_catalogue,
)
from etl_assets.declare.copied_table import CopiedTable, Incremental, Monitoring, looks_secret
from etl_assets.declare.database_reader import SourceColumn, SourceTable
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError

STAMPED = CopiedTable(
    name="visit",
    key="visitnum",
    load=Incremental(column="datetstamp"),
    importance="critical",
    why="schedule: who comes, when",
    batch_size=25_000,
    size="medium",
    retain_deleted=True,
    monitoring=Monitoring(alert_on_failure=True, max_extraction_time_minutes=15, data_quality_threshold=0.999),
)
WHOLE = CopiedTable(
    name="on",  # YAML's own word for true
    key=("a", "b"),
    load=Full(),
    importance="reference",
    why="codes",
)
ALL = (ClassRule(importance="reference", why="the rest", names="*"),)


def catalogue_of(folder: Path, *tables: CopiedTable, **said) -> Catalogue:
    path = folder / "tables.yaml"
    path.write_text(format_catalogue(CatalogueFile(tables={table.name: table for table in tables}), "A header."))
    return Catalogue(path=path, classes=ALL, append_only={}, **said)


def test_what_is_written_is_read_again() -> None:
    listing = CatalogueFile(tables={"visit": STAMPED, "on": WHOLE}, left_out={"old copy": "has no key"})
    text = format_catalogue(listing, "Two lines\nof reasons.")
    assert text.splitlines()[:3] == ["# Two lines", "# of reasons.", "source_tables:"]
    assert len(text.splitlines()) == 3 + 2 + 2
    assert parse_catalogue(text, "tables.yaml") == CatalogueFile(
        tables={"on": WHOLE, "visit": STAMPED}, left_out=listing.left_out
    )
    assert format_catalogue(parse_catalogue(text, "tables.yaml"), "Two lines\nof reasons.") == text


def test_what_is_said_by_hand_wins(tmp_path: Path) -> None:
    said = Override(
        load=Full(shrink_floor=0.1),
        batch_size=7,
        monitoring=Monitoring(max_extraction_time_minutes=90),
        event_date="visitdate",
        never_load="password ssn",
        not_secret="tokentype",  # noqa: S106 (the name of a column)
    )
    (table,) = catalogue_of(tmp_path, STAMPED, not_secret="rowhash", overrides={"visit": said}).read().tables.values()  # noqa: S106 (a name)
    assert (table.load, table.batch_size, table.event_date) == (said.load, 7, "visitdate")
    assert table.monitoring.max_extraction_time_minutes == 90
    assert (table.importance, table.size, table.retain_deleted) == ("critical", "medium", True)
    assert table.left_out(["VisitNum", "Password", "SSN", "TokenType", "RowHash", "ApiKey", "Note"]) == [
        "password", "ssn", "apikey",
    ]  # fmt: skip


def test_a_key_is_loaded_even_if_its_name_sounds_secret(tmp_path: Path) -> None:
    token = CopiedTable(name="token", key="tokennum", load=Full(), importance="audit", why="log")
    (table,) = catalogue_of(tmp_path, token).read().tables.values()
    assert table.left_out(["TokenNum", "TokenText"]) == ["tokentext"]


def test_a_table_said_of_that_the_source_has_dropped_costs_no_other(tmp_path: Path) -> None:
    """Else a listing that was written anew could not be imported, nor written once more."""
    said = {"vsit": Override(batch_size=1)}
    assert list(catalogue_of(tmp_path, STAMPED, overrides=said).read().tables) == [STAMPED.name]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("extraction_strategy: incremental", "extraction_strategy: sometimes", "sometimes"),
        ("incremental_column: datetstamp, ", "", "None"),
        ("size: medium", "size: huge", "huge"),
        ("batch_size: 25000", "batch_size: 0", "batch_size"),
        ("table_importance: critical", "table_importance: vital", "vital"),
        ("key: visitnum, ", "", "key"),
        ("alert_on_failure", "alert_on_sucess", "alert_on_sucess"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_by_its_table(before: str, after: str, told: str) -> None:
    text = format_catalogue(CatalogueFile(tables={"visit": STAMPED}), "")
    assert before in text
    with pytest.raises(EtlError, match=rf"tables\.yaml: the line of visit cannot be read: .*{told}"):
        parse_catalogue(text.replace(before, after), "tables.yaml")


@pytest.mark.parametrize("text", ["", "[]", "tables: {}", "source_tables: [", "source_tables: [a]"])
def test_what_is_no_catalogue_is_told(text: str) -> None:
    with pytest.raises(EtlError, match=r"tables\.yaml is no catalogue"):
        parse_catalogue(text, "tables.yaml")


def test_a_rule_goes_by_names_and_where_it_says_so_by_columns() -> None:
    def table(name: str, *columns: str) -> SourceTable:
        return SourceTable(
            name=name, columns=tuple(SourceColumn(name=each, type="int", staging_type="integer") for each in columns)
        )

    rule = ClassRule(importance="audit", why="log", names="*log visit?", columns="patnum provnum")
    assert rule.matches(table("EntryLog", "PatNum"))
    assert rule.matches(table("visits", "ProvNum"))
    assert not rule.matches(table("visit", "PatNum"))
    assert not rule.matches(table("entrylog", "LogNum"))
    assert ClassRule(importance="audit", why="log", names="entrylog").matches(table("entrylog"))


@pytest.mark.parametrize(
    "name", ["Password", "MySqlPassword", "PasswordHash", "ApiKey", "api_key", "SSN", "WebToken", "MobileWebPin", "OTK"]
)
def test_a_name_that_sounds_secret_is_heard(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "Keyboard",
        "PatNum",
        "Shipping",
        "Mission",
        "Pinned",
        "CheckNum",
        "FKey",
        "Hashtag",
        "Hotkey",
        "SecretaryNum",
        "Guideline",
    ],
)
def test_a_name_that_only_resembles_one_is_let_pass(name: str) -> None:
    assert not looks_secret(name)
