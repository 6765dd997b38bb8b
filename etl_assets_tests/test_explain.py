"""The words of `etl explain`, and what it answers where it cannot explain. What it explains: tests of each source."""

import pytest

from etl_assets import cli
from etl_assets.cli.explain import parse_pairs
from etl_assets.errors import EtlError
from etl_assets.settings import Settings


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("site_id=12", {"site_id": "12"}, id="one"),
        pytest.param("a=1 and b=2 AND c=3", {"a": "1", "b": "2", "c": "3"}, id="with and"),
        pytest.param("a=1, b = 2", {"a": "1", "b": "2"}, id="with commas"),
        pytest.param("a='General surgery and more', b=''", {"a": "General surgery and more", "b": ""}, id="quoted"),
        pytest.param("a='O''Hara'", {"a": "O'Hara"}, id="a quote"),
        pytest.param("a=null, b='null'", {"a": None, "b": "null"}, id="null"),
        pytest.param("a=2026-01-01", {"a": "2026-01-01"}, id="a date"),
    ],
)
def test_columns_and_values_are_read(text: str, pairs: dict[str, str | None]) -> None:
    assert parse_pairs(text) == pairs


@pytest.mark.parametrize(
    "text", ["site_id", "a=1 or b=2", "a=1 a=2", "a=1; drop table x", "a='1", "1=1", "a=1 and a=2"]
)
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(EtlError, match="--where is not of the form"):
        parse_pairs(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.here"], "nothing.here is no mart that can be explained. There are: operating_room.mart_"),
        (["tracktik.mart_hours", "--where", "site_id=1"], "tracktik.mart_hours has no column site_id. It has: billing"),
        (
            ["tracktik.mart_hours", "--column", "client_name"],
            "client_name tells what the row is. Its cells are: shifts",
        ),
        (["tracktik.mart_hours"], "tracktik.mart_hours or what it is made of was not built yet"),
        (["lacreisaude_mart.patients"], "cells of few persons are hidden in it"),
    ],
)
def test_what_cannot_be_explained_is_told_why(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url or "")
    assert cli.main(["explain", *words]) == 1
    assert message in capsys.readouterr().err
