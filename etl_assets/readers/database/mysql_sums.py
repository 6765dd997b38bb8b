"""What MySQL's values come to: sums that PostgreSQL can be held against.

A statement sums texts as they are stored, and says by the way whether one of them may hold what PostgreSQL cannot.
Those are then fetched, turned as they are turned where they are read, and counted for what they become: one rule, in
one place, and nobody else pays for it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import md5

from etl_assets.declare.database import ColumnSum, Piece, SourceColumn, SourceTable, Sums
from etl_assets.readers.database.conditions import total_of
from etl_assets.readers.database.mysql_lines import (
    DATES,
    HALF_A_PAIR,
    IS_DATE,
    IS_LIKELY_DATE,
    fit_text,
    quoted,
    raw,
)
from etl_assets.readers.database.mysql_link import MysqlLink
from etl_assets.readers.database.mysql_parts import source_of
from etl_assets.readers.database.mysql_types import MysqlType

Found = dict[tuple[str, str], Decimal]
"""What was found, by the column's name in staging, empty for the row as a whole, and by what is counted."""

LARGEST = "9e14"
"""A floating number of this magnitude or more counts as 0: its ten-thousandths are noise, and no bigint holds them."""
ROWS, ODD = ("", "rows"), ("", "odd")
# An MD5 costs more than all else, and many texts are empty.
_EMPTY = 0xD41D8CD9
# Each date counts this and its seconds, so that one sum says how many there are and what they come to.
_ONE_DATE = 10**30
_SECONDS_TO_2000 = 63_113_904_000
_MICROSECONDS = 1_000_000


def words_of(columns: Sequence[SourceColumn]) -> dict[tuple[str, str], str]:
    """The expressions that `ask_sums` selects, by what they count."""
    words = {ROWS: "count(*)"}
    for column in columns:
        # Where there can be no null the number of rows says it.
        values = {"values": f"count({quoted(column.name)})"} if column.nullable else {}
        words |= {(column.staging_name, what): word for what, word in (values | _words(column)).items()}
    if odd := _odd(columns):
        words[ODD] = f"sum({odd})"
    return words


def ask_sums(link: MysqlLink, table: SourceTable, words: Mapping[tuple[str, str], str], piece: Piece) -> Found:
    """What the rows of a piece come to: in one statement, and another where texts must be turned."""
    row = link.row(f"select {', '.join(words.values())}{source_of(table, piece)}")
    found = {word: Decimal((value or b"0").decode()) for word, value in zip(words, row, strict=True)}
    if found.get(ODD):
        _turn(link, table, piece, found)
    return found


def read_sums(columns: Sequence[SourceColumn], parts: Sequence[Found]) -> Sums:
    """What the parts of a piece come to together."""
    words = {word for part in parts for word in part}
    found = defaultdict(Decimal, {word: total_of(part.get(word, Decimal(0)) for part in parts) for word in words})
    counted: dict[str, ColumnSum] = {}
    turned: dict[str, int] = {}
    for column in columns:
        name = column.staging_name
        values, total = int(found[(name, "values") if column.nullable else ROWS]), found[name, "total"]
        if MysqlType.of(column.type).name in DATES:
            dates, seconds = divmod(int(total), _ONE_DATE)
            turned[f"{name}: zero_date"], values = values - dates, dates
            total = Decimal(seconds - dates * _SECONDS_TO_2000)
        total = total_of((total, found[name, "microseconds"] / _MICROSECONDS))
        counted[name] = ColumnSum(values=values, total=total)
        for rule in ("nul", "half_pair"):
            turned[f"{name}: {rule}"] = int(found[name, rule])
    kept = {rule: number for rule, number in turned.items() if number}
    return Sums(rows=int(found[ROWS]), columns=counted, turned=kept)


def _words(column: SourceColumn) -> dict[str, str]:
    kind, name = MysqlType.of(column.type), quoted(column.name)
    if kind.name in DATES:
        held = (IS_LIKELY_DATE if kind.name == "timestamp" else IS_DATE).format(name)
        words = {"total": f"sum(if({held}, {_ONE_DATE} + to_seconds({name}), 0))"}
        return words | ({"microseconds": f"sum(if({held}, microsecond({name}), 0))"} if kind.arguments else {})
    if kind.is_bytes or column.staging_type == "text":
        digest = f"cast(conv(left(md5({_stored(column)}), 8), 16, 10) as unsigned)"
        return {"total": f"sum(if(length({_stored(column)}) = 0, {_EMPTY}, {digest}))"}
    if kind.name == "time":
        # MySQL's time_to_sec drops the microseconds, MariaDB's does not.
        sign = f"if({name} < 0, -1, 1)"
        words = {"total": f"sum(truncate(time_to_sec({name}), 0))"}
        return words | ({"microseconds": f"sum({sign} * microsecond({name}))"} if kind.arguments else {})
    if kind.name in {"float", "double", "real"}:
        # As whole numbers, for a sum of doubles depends on their order.
        whole = f"cast(floor({name} * 10000 + 0.5e0) as signed)"
        return {"total": f"sum(if(abs({name}) < {LARGEST}, {whole}, 0))"}
    return {"total": f"sum({name} + 0)"}


def _stored(column: SourceColumn) -> str:
    """What has the bytes of `raw`, with less ado where they are those that are stored."""
    kind = MysqlType.of(column.type)
    return quoted(column.name) if kind.is_text and not kind.charset else raw(column)


def _odd(columns: Sequence[SourceColumn]) -> str:
    """The condition that a text of a row may have to be turned.

    It holds a NUL, or the byte that half a pair begins with; in Korean other characters begin with it too.
    """
    tests = []
    for column in columns:
        if column.staging_type == "text":
            text = raw(column)
            tests.append(f"length({_stored(column)}) and (instr({text}, x'00') or instr({text}, x'ed'))")
    return " or ".join(tests)


def _turn(link: MysqlLink, table: SourceTable, piece: Piece, found: Found) -> None:
    """Have texts count what they become."""
    texts = [column for column in table.columns if column.staging_type == "text"]
    statement = f"select {', '.join(map(raw, texts))}{source_of(table, piece, f'({_odd(texts)})')}"
    for rows in link.blocks(statement, at_once=1):
        for column, text in zip(texts, rows[0], strict=True):
            if text is None or (becomes := fit_text(text)) == text:
                continue
            name = column.staging_name
            found[name, "total"] += _digest(becomes) - _digest(text)
            for rule, applies in (("nul", b"\0" in text), ("half_pair", HALF_A_PAIR.search(text))):
                found[name, rule] = found.get((name, rule), Decimal(0)) + bool(applies)


def _digest(text: bytes) -> int:
    return int(md5(text, usedforsecurity=False).hexdigest()[:8], 16)
