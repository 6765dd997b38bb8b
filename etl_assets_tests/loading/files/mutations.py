"""Valid files of surgical cases, and what transfers, exports and people make of them."""

import gzip
import io
import os
import random
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

HEADER = "case_id,surgery_date,room_id,or_in,or_out,sched_duration,primary_procedure"
PROCEDURES = ("Lapidus bunionectomy", "Réparation", "Hüftgelenk", "€ repair", "cataract")
FIRST = date(2004, 1, 1)
_LINE_END = re.compile("\r\n|\n|\r")
_BLANKS = " \t\n\r\f\v\xa0,"


@dataclass
class Dropped:
    """One file that was put into a landing folder."""

    name: str
    """As the ledger shows it."""
    mutation: str
    rows: int | None
    """How many rows it has, counted by other means than the reader's; None where that cannot be told."""


def rows_of(number: int, dice: random.Random) -> list[list[str]]:
    """Cases of a file's own date and keys."""
    day = FIRST + timedelta(days=number)
    return [
        [f"F{number:04}-{at}", str(day), f"OR{at % 4}", f"{day} 0{at % 8}:15", f"{day} 1{at % 8}:45", f"{60 + at}",
         dice.choice(PROCEDURES)]
        for at in range(dice.randint(1, 30))
    ]  # fmt: skip


def text_of(rows: list[list[str]]) -> str:
    return "\n".join([HEADER, *map(",".join, rows)]) + "\n"


def flip_bytes(content: bytes, dice: random.Random) -> bytes:
    flipped = bytearray(content)
    for _ in range(dice.randint(1, 12)):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def insert_bytes(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + dice.choice([b'"', b"\0", b"\xff", b",", b"\n", b"\r", b"\x1a", b"\\.", b'""']) + content[at:]


def repeat_piece(content: bytes, dice: random.Random) -> bytes:
    first, last = sorted((dice.randrange(len(content)), dice.randrange(len(content))))
    return content[:last] + content[first:]


def swap_fields(rows: list[list[str]], dice: random.Random) -> None:
    for row in dice.sample(rows, dice.randint(1, len(rows))):
        one, other = dice.sample(range(len(row)), 2)
        row[one], row[other] = row[other], row[one]


def spoil_fields(rows: list[list[str]], dice: random.Random) -> None:
    values = ["", "NULL", "soon", "2024-02-30", "99999999999", "now", "NaN", "12:50 p.m.", "x" * 900, " ", "-1e400"]
    for row in rows:
        row[dice.randrange(len(row))] = dice.choice(values)


def ragged(rows: list[list[str]], dice: random.Random) -> None:
    for row in dice.sample(rows, dice.randint(1, len(rows))):
        if dice.random() < 0.5:
            row.append("more")
        else:
            del row[dice.randrange(1, len(row)) :]


def footer(rows: list[list[str]], dice: random.Random) -> None:
    rows.append(dice.choice([[f"({len(rows)} rows affected)"], ["Total", str(len(rows))], ["----"] * len(rows[0])]))


BYTES = (flip_bytes, cut, insert_bytes, repeat_piece)
FIELDS = (swap_fields, spoil_fields, ragged, footer)
ENCODINGS = ("utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-32", "cp500", "mac-roman")
NAMES = (b"\xe9t\xe9", b"two\nlines", "😀".encode(), b'it\'s "quoted"', b"%s{0}", b"\xff\xfe", b"n" * 200)


def write_parquet(rows: list[list[str]]) -> bytes:
    written = io.BytesIO()
    columns = {name: [row[at] for row in rows] for at, name in enumerate(HEADER.split(","))}
    pq.write_table(pa.table(columns), written)
    return written.getvalue()


def write_excel(rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook()
    for row in [HEADER.split(","), *rows]:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


TYPED: dict[str, Callable[[list[list[str]]], bytes]] = {"parquet": write_parquet, "xlsx": write_excel}


def special_file(path: Path, dice: random.Random) -> str:
    kind = dice.choice(["pipe", "socket", "link out", "link to a folder", "loop", "folder"])
    if kind in {"pipe", "socket"}:
        os.mknod(path, 0o600 | (stat.S_IFIFO if kind == "pipe" else stat.S_IFSOCK))
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"link out": "/etc/passwd", "link to a folder": "/etc", "loop": path}[kind])
    return kind


def counted(content: bytes) -> int | None:
    """Rows of a file whose lines can be told apart with the eye: no quotes, and its own header."""
    lines = _LINE_END.split(content.removeprefix(b"\xef\xbb\xbf").decode("latin-1"))
    if lines[0] != HEADER or b'"' in content:
        return None
    return sum(bool(line.replace("\xc2\xa0", "").strip(_BLANKS)) for line in lines[1:])


@dataclass
class Mutated:
    """What becomes of a valid file."""

    mutation: str
    content: bytes
    rows: int | None
    ending: bytes = b".csv"


def with_harm(rows: list[list[str]], dice: random.Random) -> Mutated:
    harm = dice.choice(BYTES)
    content = harm(text_of(rows).encode(), dice)
    return Mutated(harm.__name__, content, counted(content))


def with_spoilt_fields(rows: list[list[str]], dice: random.Random) -> Mutated:
    change = dice.choice(FIELDS)
    change(rows, dice)
    content = text_of(rows).encode()
    return Mutated(change.__name__, content, counted(content))


def as_typed(rows: list[list[str]], dice: random.Random) -> Mutated:
    ending = dice.choice(list(TYPED))
    dice.choice([swap_fields, spoil_fields])(rows, dice)
    content = TYPED[ending](rows)
    if dice.random() < 0.5:
        return Mutated(f"damaged {ending}", dice.choice(BYTES)(content, dice), None, f".{ending}".encode())
    return Mutated(ending, content, len(rows), f".{ending}".encode())


def gzipped(rows: list[list[str]], dice: random.Random) -> Mutated:
    return Mutated("gzip", dice.choice(BYTES)(gzip.compress(text_of(rows).encode()), dice), None, b".csv.gz")


def in_another_encoding(rows: list[list[str]], dice: random.Random) -> Mutated:
    encoding = dice.choice(ENCODINGS)
    content = text_of(rows).encode(encoding, "replace")
    return Mutated(encoding, content, len(rows) if encoding.startswith("utf") else counted(content))


def oddly_named(rows: list[list[str]], dice: random.Random) -> Mutated:
    return Mutated("name", text_of(rows).encode(), len(rows), b"_" + dice.choice(NAMES) + b".csv")


WAYS = (
    with_harm,
    with_harm,
    with_spoilt_fields,
    with_spoilt_fields,
    as_typed,
    gzipped,
    in_another_encoding,
    oddly_named,
)


def drop_mutated(folder: Path, number: int, dice: random.Random) -> Dropped:
    """Write the file of a number: every fourth is as it should be, the others are not."""
    name = b"or_case_%05d" % number
    rows = rows_of(number, dice)
    if number % 4 == 0:
        made = Mutated("none", text_of(rows).encode(), len(rows))
    elif dice.random() < 0.1:
        path = folder / f"{name.decode()}.csv"
        return Dropped(path.name, special_file(path, dice), None)
    else:
        made = dice.choice(WAYS)(rows, dice)
    name += made.ending
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(made.content)
    return Dropped(name.decode("utf-8", "backslashreplace"), made.mutation, made.rows)
