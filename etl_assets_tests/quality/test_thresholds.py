"""Thresholds that people set: what a rule asks by them, what its issues say, and that every setting is kept."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from etl_assets.cli import main
from etl_assets.declare.rules import DateWithin, Finds, InOrder, MinutesBetween, OneOf
from etl_assets.declare.thresholds import declared_thresholds, with_thresholds
from etl_assets.errors import EtlError
from etl_assets.quality.thresholds import list_thresholds, rule_in_force, set_threshold
from etl_assets.sources import SOURCES
from etl_assets_tests.quality.conftest import Ward

BASE = {"table": "visit", "why": "It is so."}
LONG = Finds(
    name="Long",
    query="select row_key, 'hours' as field, id::text as value, 'longer than ' || %(hours)s as message, row_slice"
    " from looked_at where extract(epoch from ended - begun) / 3600 > %(hours)s",
    parameters={"hours": 4, "unit": "h"},
    **BASE,
)
IN_ORDER = InOrder(name="InOrder", pairs=(("begun", "ended"),), blocks_above=0.5, **BASE)
MINUTES = MinutesBetween(name="Minutes", start="begun", end="ended", low=10, high=60, zone="room", **BASE)
AHEAD = DateWithin(name="Ahead", column="day", first="2020-01-01", ahead=timedelta(days=2), **BASE)
KNOWN = OneOf(name="Known", column="room", known=("a", "b"), **BASE)
DAY = date(2026, 3, 2)
BY = {"by": "Ada", "why": "the clinic is slower"}


def test_what_of_a_rule_is_a_threshold() -> None:
    assert declared_thresholds(LONG) == {"hours": 4}
    assert declared_thresholds(IN_ORDER) == {"blocks_above": 0.5}
    assert declared_thresholds(MINUTES) == {"low": 10, "high": 60}
    assert declared_thresholds(AHEAD) == {"ahead": 2}
    assert declared_thresholds(KNOWN) == {}


def test_every_declared_threshold_can_be_set_and_is_what_the_rule_then_asks() -> None:
    found = 0
    for source in SOURCES:
        for rule in source.rules:
            for name, value in declared_thresholds(rule).items():
                other = value / 2 if name == "blocks_above" else value + 1
                assert declared_thresholds(with_thresholds(rule, {name: other})) == {
                    **declared_thresholds(rule), name: other,
                }  # fmt: skip
                found += 1
    assert found >= 10


def test_a_threshold_that_is_set_is_the_one_that_is_asked_and_the_issue_says_so(ward: Ward) -> None:
    source = ward.source(LONG)
    ward.visit(1, DAY, hours=3)
    ward.visit(2, DAY, hours=6)
    assert ward.run(LONG).open == 1
    assert ward.run_due(LONG) is None
    set_threshold(ward.connection, source, "Long", "hours", 2, **BY)
    result = ward.run_due(LONG)  # nothing was loaded, and it looks again
    assert result is not None
    assert result.open == 2
    ((why, message),) = ward.execute("select why, message from etl.quality_issue where key = '1'")
    assert (why, message) == ("It is so. Set here: hours is 2, declared as 4.", "longer than 2")
    assert ward.run_due(LONG) is None
    set_threshold(ward.connection, source, "Long", "hours", 8, **BY)
    result = ward.run_due(LONG)
    assert result is not None
    assert (result.open, result.closed) == (0, 2)
    set_threshold(ward.connection, source, "Long", "hours", None, by="Bo", why="as before")
    result = ward.run_due(LONG)
    assert result is not None
    assert result.open == 1
    assert ward.execute("select distinct why from etl.quality_issue where status = 'open'") == [("It is so.",)]
    kept = ward.execute("select parameter, value, set_by, why from etl.rule_setting order by setting_id")
    assert kept == [
        ("hours", 2, "Ada", "the clinic is slower"),
        ("hours", 8, "Ada", "the clinic is slower"),
        ("hours", None, "Bo", "as before"),
    ]


def test_the_share_above_which_a_rule_blocks_can_be_set(ward: Ward) -> None:
    source = ward.source(IN_ORDER)
    ward.visit(1, DAY, hours=-1)
    ward.visit(2, DAY)
    ward.visit(3, DAY)
    assert not ward.run(IN_ORDER).blocks
    set_threshold(ward.connection, source, "InOrder", "blocks_above", 0.2, **BY)
    result = ward.run_due(IN_ORDER)
    assert result is not None
    assert (result.blocks, result.rule.blocks_above) == (True, 0.2)


def test_a_setting_is_of_its_own_table_s_rule_and_parameter(ward: Ward) -> None:
    other = replace(MINUTES, table="other")
    source = ward.source(LONG)
    source = replace(source, rules=(MINUTES, LONG))
    set_threshold(ward.connection, source, "Minutes", "high", 90, **BY)
    assert rule_in_force(ward.connection, source, MINUTES).values == {"low": 10, "high": 90}
    for unlike in (other, replace(MINUTES, name="Others"), LONG):
        assert rule_in_force(ward.connection, source, unlike) == unlike
    listed, left = list_thresholds(ward.connection, source)
    assert [(each.rule.name, dict(each.declared), list(each.set_now)) for each in listed] == [
        ("Minutes", {"low": 10, "high": 60}, ["high"]),
        ("Long", {"hours": 4}, []),
    ]
    assert left == []
    # The rule has no such parameter any more: it is run as it is declared, and the list says what is left.
    older = replace(source, rules=(replace(LONG, name="Minutes"),))
    assert rule_in_force(ward.connection, older, older.rules[0]) == older.rules[0]
    _, left = list_thresholds(ward.connection, older)
    assert [(each.rule, each.parameter) for each in left] == [("Minutes", "high")]


@pytest.mark.parametrize(
    ("rule", "parameter", "value", "given", "words"),
    [
        pytest.param("Long", "minutes", 1, {}, "it has no threshold 'minutes'; it has: hours", id="another parameter"),
        pytest.param("Known", "known", 1, {}, "it has no threshold 'known'; it has: none", id="no number"),
        pytest.param("Long", "blocks_above", 0.1, {}, "it has no threshold 'blocks_above'", id="it does not block"),
        pytest.param("InOrder", "blocks_above", 5, {}, "a share of rows, from 0 to 1, and not 5", id="no share"),
        pytest.param("Ahead", "ahead", 1.5, {}, "a whole number, as 2 is, and not 1.5", id="not whole"),
        pytest.param("Minutes", "low", 61, {}, "low, 61, would be over high, 60", id="low over high"),
        pytest.param("Long", "hours", float("nan"), {}, "is to be a number, and not nan", id="no number at all"),
        pytest.param("Longer", "hours", 1, {}, "has no rule Longer", id="another rule"),
        pytest.param("Long", "hours", 1, {"by": " "}, "by somebody, with a reason", id="nobody"),
        pytest.param("Long", "hours", 1, {"why": ""}, "by somebody, with a reason", id="no reason"),
        pytest.param("Long", "hours", None, {}, "nobody has set hours", id="nothing to put back"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_set(  # noqa: PLR0917 (a case is of five)
    ward: Ward, rule, parameter, value, given, words
) -> None:
    source = ward.source(LONG, IN_ORDER, MINUTES, AHEAD, KNOWN)
    with pytest.raises(EtlError, match=words):
        set_threshold(ward.connection, source, rule, parameter, value, **{**BY, **given})
    assert ward.execute("select * from etl.rule_setting") == []


def test_a_rule_of_several_tables_is_named_with_its_table(settings, monkeypatch, capsys) -> None:
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url)
    words = [
        "rules",
        "set",
        "operating_room",
        "TurnoverTimeAnomaly",
        "high",
        "120",
        "--by",
        "Ada",
        "--why",
        "old rooms",
    ]
    assert main(words) == 0
    assert main(["rules", "list", "operating_room"]) == 0
    shown = capsys.readouterr().out
    assert "stg.or_case TurnoverTimeAnomaly: high is 120.\n" in shown
    assert "    high = 90; set to 120 by Ada on 20" in shown
    assert ": old rooms\n" in shown
    words = ["rules", "reset", "operating_room", "TurnoverTimeAnomaly", "high", "--by", "Ada", "--why", "new rooms"]
    assert main(words) == 0
    assert capsys.readouterr().out == "stg.or_case TurnoverTimeAnomaly: high is 90.\n"
    words = ["rules", "set", "operating_room", "MissingRequiredFields", "low", "1", "--by", "Ada", "--why", "so"]
    assert main(words) == 1
    assert "MissingRequiredFields is a rule of several tables: " in capsys.readouterr().err
    assert main([*words, "--table", "or_case"]) == 1
    assert "it has no threshold 'low'; it has: " in capsys.readouterr().err
