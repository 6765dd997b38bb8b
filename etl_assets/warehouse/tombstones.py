"""Tombstones: who was erased, by digests alone; in the ledger, and in a file that no restored database sets back."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from etl_assets.errors import EtlError

_COLUMNS = "subject, digest, key_check, erased_at, erased_by, why"


@dataclass(frozen=True, kw_only=True)
class Tombstone:
    """One person who was erased, as one kind of subject."""

    subject: str
    digest: str
    key_check: str
    """By which the secret of the digest is known again."""
    erased_at: datetime
    erased_by: str
    why: str

    @property
    def identity(self) -> tuple[str, str]:
        """Whose it is."""
        return self.subject, self.digest


def tombstones(connection: psycopg.Connection, source: str) -> list[Tombstone]:
    """Those in the ledger, in order."""
    rows = connection.execute(
        f"select {_COLUMNS} from etl.tombstone where source = %s order by erased_at, subject, digest", [source]
    )
    return [Tombstone(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]


def record_tombstones(connection: psycopg.Connection, source: str, added: Iterable[Tombstone]) -> None:
    """Put tombstones into the ledger; those that are there stay as they are."""
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into etl.tombstone (source, {_COLUMNS}) values (%s, %s, %s, %s, %s, %s, %s)"
            " on conflict do nothing",
            [(source, *vars(each).values()) for each in added],
        )


def record_erasure(
    connection: psycopg.Connection, source: str, added: Sequence[Tombstone], places: dict[str, int]
) -> None:
    """Write the receipt of an erasure: what went, by place and count."""
    first = added[0]
    connection.execute(
        "insert into etl.erasure (source, digests, erased_at, erased_by, why, places) values (%s, %s, %s, %s, %s, %s)",
        [source, [each.digest for each in added], first.erased_at, first.erased_by, first.why, Jsonb(places)],
    )


def tombstone_file(folder: Path, source: str) -> Path:
    """The file of a source."""
    return folder / f"{source}.jsonl"


def read_tombstone_file(path: Path) -> list[Tombstone]:
    """The tombstones in a file; none where there is no file. A last line without its end was never finished.

    Raises:
        EtlError: A line cannot be read: who was erased might come back.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            found.append(Tombstone(**{**values, "erased_at": datetime.fromisoformat(values["erased_at"])}))
        except (ValueError, TypeError, KeyError):
            raise EtlError(
                f"{path}: line {number} is no tombstone. Nothing was loaded, for who was erased might come back. Put"
                " the file back as it was; the ledger has the same in etl.tombstone."
            ) from None
    return found


def append_tombstones(path: Path, added: Sequence[Tombstone]) -> None:
    """Add tombstones to a file, and wait until they are on the disk.

    Raises:
        EtlError: The file cannot be written.
    """
    if not added:
        return
    lines = [json.dumps({**asdict(each), "erased_at": each.erased_at.isoformat()}) for each in added]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # what was begun last was never finished
                    keep = path.read_bytes().rfind(b"\n") + 1
                    file.truncate(keep)
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EtlError(f"{path} cannot be written: {error.strerror}. Nobody was erased.") from None
