"""Tiers: what a source declares of its tables decides who hears of them; every key of monitoring has a reader."""

import ast
from dataclasses import fields, replace
from pathlib import Path

import pytest

import etl_assets
from etl_assets.alerts.tiers import CRITICAL, IMPORTANT, STANDARD, TIERS, Importance
from etl_assets.declare.copied_table import Monitoring
from etl_assets.sources import SOURCES
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL

PACKAGE = Path(etl_assets.__file__).parent
IMPORTANCE = Importance(SOURCES)


def tier(relation: str, kind: str = "failed") -> str:
    return IMPORTANCE.tier("open_dental", kind, relation).name


@pytest.mark.parametrize(
    ("table", "name"),
    [("patient", "critical"), ("account", "important"), ("activeinstance", "standard"), ("alertsub", "standard")],
)
def test_a_table_s_tier_is_that_of_its_importance(table: str, name: str) -> None:
    assert tier(f"{OPEN_DENTAL.schema}.{table}") == name


def test_models_and_tables_of_other_sources_are_important_and_a_whole_source_is_as_its_best_table() -> None:
    assert tier("open_dental_mart.mart_ar_aging") == "important"
    assert IMPORTANCE.tier("operating_room", "failed", "stg.or_case") is IMPORTANT
    assert tier("") == "critical"
    assert IMPORTANCE.tier("tracktik", "failed", "") is IMPORTANT
    assert IMPORTANCE.tier("platform", "platform", "") is IMPORTANT


def test_alert_on_failure_is_read() -> None:
    quiet = replace(OPEN_DENTAL.copied_table("patient"), monitoring=Monitoring(alert_on_failure=False))
    source = replace(OPEN_DENTAL, tables=[quiet if each.name == quiet.name else each for each in OPEN_DENTAL.tables])
    relation = f"{source.schema}.patient"
    importance = Importance([source])
    assert importance.tier(source.name, "failed", relation) is STANDARD
    assert importance.tier(source.name, "hanging", relation) is STANDARD
    assert importance.tier(source.name, "late", relation) is CRITICAL


def test_the_tiers_are_those_of_the_guide() -> None:
    told = {tier.name: (set(tier.channels), tier.escalates_after.total_seconds() / 60) for tier in TIERS}
    assert told == {
        "critical": ({"pagerduty", "email", "slack"}, 15),
        "important": ({"email", "slack"}, 60),
        "standard": (set(), 24 * 60),
    }
    assert CRITICAL.delay.total_seconds() == 0
    assert IMPORTANT.delay.total_seconds() < 15 * 60


def test_every_key_of_monitoring_has_a_reader() -> None:
    """Somebody besides those who write the catalogue's file asks for it, or for the property that gives it on."""
    given_on = {"alert_on_failure": "alerts_on_failure", "max_extraction_time_minutes": "longest_load"}
    writers = {"declare/catalogue.py", "declare/copied_table.py", "loading/database/discovery.py"}
    read = {
        node.attr
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).as_posix() not in writers
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    unread = [each.name for each in fields(Monitoring) if given_on.get(each.name, each.name) not in read]
    assert unread == []
