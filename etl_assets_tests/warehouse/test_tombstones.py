"""The file of tombstones: what is in it was written whole, and what cannot be read stops a load."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.warehouse.tombstones import Tombstone, append_tombstones, read_tombstone_file, tombstone_file


def stone(digest: str) -> Tombstone:
    return Tombstone(
        subject="patient",
        digest=digest,
        key_check="0123",
        erased_at=datetime(2026, 2, 27, 12, tzinfo=UTC),
        erased_by="somebody",
        why="was asked to; caf\u00e9",
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tombstone_file(tmp_path / "new", "clinic")
    assert read_tombstone_file(path) == []
    append_tombstones(path, [stone("a"), stone("b")])
    append_tombstones(path, [stone("c")])
    assert read_tombstone_file(path) == [stone("a"), stone("b"), stone("c")]


def test_a_line_that_was_never_finished_is_none(tmp_path: Path) -> None:
    path = tmp_path / "clinic.jsonl"
    append_tombstones(path, [stone("a")])
    with path.open("a") as file:
        file.write('{"subject": "pat')
    assert read_tombstone_file(path) == [stone("a")]
    append_tombstones(path, [stone("b")])
    assert read_tombstone_file(path) == [stone("a"), stone("b")]


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"subject": 1}', "[]"])
def test_a_line_that_is_none_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "clinic.jsonl"
    append_tombstones(path, [stone("a")])
    with path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(EtlError, match="line 2 is no tombstone"):
        read_tombstone_file(path)
