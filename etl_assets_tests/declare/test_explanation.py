"""How a mart's yml says what its cells are made of, and what is refused."""

import re
from typing import Any

import pytest

from etl_assets.declare.explanation import read_explanation, read_origins
from etl_assets.errors import EtlError

MART: dict[str, Any] = {
    "grain": ["day", "room"],
    "attributes": ["room_name"],
    "rows": {
        "cases": {
            "fact": "mill.fact_case",
            "match": {"day": "fact.began::date"},
            "where": "fact.priority <= mart.lowest",
            "cells": {
                "cases": {"count": True},
                "minutes": {"sum": "fact.minutes", "where": "fact.is_done", "empty": 0},
                "planned": {"sum": "fact.planned"},
            },
        }
    },
    "derived": {
        "late": {"value": "minutes - planned"},
        "share_late": {"share": ["late", "minutes"]},
        "mean_planned": {"value": "planned / nullif(cases, 0)"},
    },
}


def test_a_row_is_found_by_the_grain_where_nothing_else_is_said() -> None:
    [cases] = read_explanation("mill.mart", MART).rows
    assert cases.match == {"day": "fact.began::date", "room": "fact.room"}


def test_what_is_of_no_use_to_find_a_row_is_left_out_of_the_match() -> None:
    cases = {**MART["rows"]["cases"], "match": {"day": None}}
    [rows] = read_explanation("mill.mart", {**MART, "rows": {"cases": cases}}).rows
    assert rows.match == {"room": "fact.room"}


def test_columns_of_the_mart_that_a_condition_asks_for_are_read() -> None:
    assert read_explanation("mill.mart", MART).columns_asked == ["day", "lowest", "room"]


def test_one_cell_alone_brings_those_that_it_follows_from() -> None:
    only = read_explanation("mill.mart", MART).only("share_late")
    assert only.cells == ["minutes", "planned", "late", "share_late"]


def test_an_attribute_is_no_cell() -> None:
    with pytest.raises(EtlError, match="room_name tells what the row is"):
        read_explanation("mill.mart", MART).only("room_name")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"grains": []}, "meta.explain says grains; it may say attributes, derived, grain, rows", id="word"
        ),
        pytest.param({"attributes": ["cases"]}, "names cases twice", id="a column twice"),
        pytest.param({"attributes": ["Room Name"]}, "cannot be a column", id="no name of a column"),
        pytest.param({"derived": {"x": {"share": ["minutes", "hours"]}}}, "x follows from hours", id="no such cell"),
        pytest.param({"derived": {"x": {}}}, "must say of x exactly one of value, share", id="no formula"),
        pytest.param({"rows": {"r": {"fact": "fact_case"}}}, "fact_case is no relation", id="no schema"),
        pytest.param({"rows": {"r": {"fact": "a.b"}}}, "says of no cell that it is made of r", id="no cell"),
        pytest.param(
            {"rows": {"r": {"fact": "a.b", "cells": {"x": {"sum": "1", "count": True}}}}, "derived": {}},
            "must say of x exactly one of count, distinct",
            id="two aggregates",
        ),
    ],
)
def test_what_is_not_well_formed_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EtlError, match=re.escape(message)):
        read_explanation("mill.mart", {**MART, **changes})


def test_a_fact_is_named_by_its_unique_key_unless_it_says_another() -> None:
    declared = {"staging": [{"table": "stg.or_case", "match": {"case_id": "fact.case_id"}}]}
    assert read_origins("mill.fact_case", declared, "case_id").key == ("case_id",)
    assert read_origins("mill.fact_case", {**declared, "key": ["site_id", "case_id"]}, None).key[0] == "site_id"
    with pytest.raises(EtlError, match="names no key"):
        read_origins("mill.fact_case", declared, None)
