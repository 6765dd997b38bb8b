"""The file of a database's tables: what is written is read again, and what is said by hand wins."""

from pathlib import Path

import pytest

from etl_assets.declare.catalogue import Catalogue, ClassRule, Listing, Override, read_listing, write_listing
from etl_assets.declare.database import SourceColumn, SourceTable
from etl_assets.declare.tables import Copied, Full, Incremental, Monitoring, Table, looks_secret
from etl_assets.errors import EtlError

STAMPED = Table(
    name="visit",
    key="visitnum",
    load=Incremental(column="datetstamp"),
    copied=Copied(
        importance="critical",
        why="schedule: who comes, when",
        batch_size=25_000,
        size="medium",
        keep_deleted=True,
        monitoring=Monitoring(alert_on_failure=True, max_extraction_time_minutes=15, data_quality_threshold=0.999),
    ),
)
WHOLE = Table(
    name="on",  # YAML's own word for true
    key=("a", "b"),
    load=Full(),
    copied=Copied(importance="reference", why="codes"),
)
ALL = (ClassRule(importance="reference", why="the rest", names="*"),)


def catalogue_of(folder: Path, *tables: Table, **said) -> Catalogue:
    path = folder / "tables.yaml"
    path.write_text(write_listing(Listing(tables={table.name: table for table in tables}), "A header."))
    return Catalogue(path=path, classes=ALL, append_only={}, **said)


def test_what_is_written_is_read_again() -> None:
    listing = Listing(tables={"visit": STAMPED, "on": WHOLE}, left_out={"old copy": "has no key"})
    text = write_listing(listing, "Two lines\nof reasons.")
    assert text.splitlines()[:3] == ["# Two lines", "# of reasons.", "source_tables:"]
    assert len(text.splitlines()) == 3 + 2 + 2
    assert read_listing(text, "tables.yaml") == Listing(
        tables={"on": WHOLE, "visit": STAMPED}, left_out=listing.left_out
    )
    assert write_listing(read_listing(text, "tables.yaml"), "Two lines\nof reasons.") == text


def test_what_is_said_by_hand_wins(tmp_path: Path) -> None:
    said = Override(
        load=Full(shrink_floor=0.1),
        batch_size=7,
        monitoring=Monitoring(max_extraction_time_minutes=90),
        happens_on="visitdate",
        never_load="password ssn",
        harmless="tokentype",
    )
    (table,) = catalogue_of(tmp_path, STAMPED, harmless="rowhash", overrides={"visit": said}).tables()
    assert (table.load, table.copied.batch_size, table.copied.happens_on) == (said.load, 7, "visitdate")
    assert table.copied.monitoring.max_extraction_time_minutes == 90
    assert (table.copied.importance, table.copied.size, table.copied.keep_deleted) == ("critical", "medium", True)
    assert table.left_out(["VisitNum", "Password", "SSN", "TokenType", "RowHash", "ApiKey", "Note"]) == [
        "password", "ssn", "apikey",
    ]  # fmt: skip


def test_a_key_is_loaded_even_if_its_name_sounds_secret(tmp_path: Path) -> None:
    token = Table(name="token", key="tokennum", load=Full(), copied=Copied(importance="audit", why="log"))
    (table,) = catalogue_of(tmp_path, token).tables()
    assert table.left_out(["TokenNum", "TokenText"]) == ["tokentext"]


def test_a_table_said_of_that_the_source_has_dropped_costs_no_other(tmp_path: Path) -> None:
    """Else a listing that was written anew could not be imported, nor written once more."""
    said = {"vsit": Override(batch_size=1)}
    assert [table.name for table in catalogue_of(tmp_path, STAMPED, overrides=said).tables()] == [STAMPED.name]


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
    text = write_listing(Listing(tables={"visit": STAMPED}), "")
    assert before in text
    with pytest.raises(EtlError, match=rf"tables\.yaml: the line of visit cannot be read: .*{told}"):
        read_listing(text.replace(before, after), "tables.yaml")


@pytest.mark.parametrize("text", ["", "[]", "tables: {}", "source_tables: [", "source_tables: [a]"])
def test_what_is_no_catalogue_is_told(text: str) -> None:
    with pytest.raises(EtlError, match=r"tables\.yaml is no catalogue"):
        read_listing(text, "tables.yaml")


def test_a_rule_goes_by_names_and_where_it_says_so_by_columns() -> None:
    def table(name: str, *columns: str) -> SourceTable:
        return SourceTable(
            name=name, columns=tuple(SourceColumn(name=each, type="int", staging_type="integer") for each in columns)
        )

    rule = ClassRule(importance="audit", why="log", names="*log visit?", columns="patnum provnum")
    assert rule.holds(table("EntryLog", "PatNum"))
    assert rule.holds(table("visits", "ProvNum"))
    assert not rule.holds(table("visit", "PatNum"))
    assert not rule.holds(table("entrylog", "LogNum"))
    assert ClassRule(importance="audit", why="log", names="entrylog").holds(table("entrylog"))


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
