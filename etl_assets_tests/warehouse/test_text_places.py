"""Whole words are found and blotted out, in databases and in files, and nothing beside them."""

from pathlib import Path

import psycopg
import pytest

from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.text_places import blot_words, count_words, words_in_files

KEY = "3f9a01bc"
PLACE = Relation("pg_temp", "places")


@pytest.mark.parametrize(
    ("text", "blotted"),
    [
        pytest.param(f"of {KEY}.", "of (erased).", id="a word"),
        pytest.param(f'{{"key": "{KEY.upper()}"}}', '{"key": "(erased)"}', id="in capitals, in JSON"),
        pytest.param(f"_{KEY}_", "_(erased)_", id="between underscores"),
        pytest.param(f"{KEY} and {KEY}", "(erased) and (erased)", id="twice"),
        pytest.param(f"x{KEY} {KEY}0", None, id="a part of a longer word"),
        pytest.param(f"{KEY}-1234-5678-9abc-def012345678", None, id="the beginning of a UUID"),
        pytest.param("a.b+c@d.example", "(erased)", id="marks stand for themselves"),
        pytest.param("axb+c@d.example", None, id="and for nothing else"),
        pytest.param("Jos\\u00e9 Silva", "(erased) Silva", id="as JSON writes it"),
        pytest.param("Jos\u00e9", "(erased)", id="as it is"),
    ],
)
def test_whole_words_are_blotted_out(
    connection: psycopg.Connection, tmp_path: Path, text: str, blotted: str | None
) -> None:
    words = {KEY, "a.b+c@d.example", "Jos\u00e9"}
    connection.execute("create temporary table places (id integer, said text)")
    connection.execute("insert into places values (1, %s), (2, 'nothing')", [text])
    assert count_words(connection, PLACE, ["id", "said"], words) == ({"said": 1} if blotted else {})
    assert blot_words(connection, PLACE, ["said"], words) == (1 if blotted else 0)
    assert connection.execute("select said from places order by id").fetchall() == [(blotted or text,), ("nothing",)]
    assert blot_words(connection, PLACE, ["said"], words) == 0

    file = tmp_path / "a.log"
    file.write_text(f"{text}\n")
    size = file.stat().st_size
    assert bool(words_in_files([file], words)) == bool(blotted)
    words_in_files([file], words, blot=True)
    assert (file.read_text() == f"{text}\n") == (blotted is None)
    assert file.stat().st_size == size
    assert words_in_files([file], words) == {}


def test_many_words_are_looked_for_at_once(connection: psycopg.Connection) -> None:
    connection.execute("create temporary table places (said text)")
    connection.execute("insert into places select 'w' || n from generate_series(1, 1000) as n")
    assert count_words(connection, PLACE, ["said"], {f"w{n}" for n in range(1, 500)}) == {"said": 499}
