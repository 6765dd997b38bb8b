"""Whole-word search in databases and files: where a person's key, pseudonym or name stands, and to blot it out.

A word counts where neither a letter nor a digit is next to it, and it does not begin a UUID. No value that is found is
given back.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation

DISTINCTIVE = 8
"""Characters from which on a key is taken for a person's wherever it stands; `17` may be anything."""
BLOT = "*"
"""What stands in the place of each character that is blotted out."""
_EDGE = r"(?<![0-9A-Za-z])(?:{})(?![0-9A-Za-z]|-[0-9a-f]{{4}}-)"
_WORDS_AT_ONCE = 100
_BLOTTED = "(erased)"
_COLUMNS = """
select space.nspname, class.relname, array_agg(attribute.attname::text order by attribute.attnum)
from pg_class as class
inner join pg_namespace as space on space.oid = class.relnamespace
inner join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum > 0
inner join pg_type as type on type.oid = attribute.atttypid
where not attribute.attisdropped and class.relkind = any(array['r', case when not %(texts)s then 'm' end]::"char"[])
and space.nspname not in ('pg_catalog', 'information_schema') and space.nspname not like 'pg_t%%'
and has_table_privilege(class.oid, 'select')
and (not %(texts)s or (type.typcategory = 'S' and has_table_privilege(class.oid, 'update')))
group by 1, 2
order by 1, 2
"""


def is_distinctive(word: str) -> bool:
    """Whether a word is looked for in any text."""
    return len(word) >= DISTINCTIVE


def word_patterns(words: Collection[str]) -> list[str]:
    """Regular expressions, of Python and of PostgreSQL, that find these words; also as JSON writes them."""
    spelled = sorted({form for word in words if word for form in (word, json.dumps(word)[1:-1])})
    return [
        _EDGE.format("|".join(re.sub(r"([^0-9A-Za-z\s\u0080-\U0010ffff])", r"\\\1", word) for word in some))
        for some in (spelled[at : at + _WORDS_AT_ONCE] for at in range(0, len(spelled), _WORDS_AT_ONCE))
    ]


def all_columns(connection: psycopg.Connection, *, texts: bool = False) -> dict[Relation, list[str]]:
    """The columns of all tables of a database that may be read; where `texts`, those of texts that may be written."""
    rows = connection.execute(_COLUMNS, {"texts": texts})
    return {Relation(schema, name): columns for schema, name, columns in rows}


def count_words(
    connection: psycopg.Connection, relation: Relation, columns: Collection[str], words: Collection[str]
) -> dict[str, int]:
    """Rows of a table in which one of the words stands, by column; only columns that have some."""
    found: dict[str, int] = {}
    for pattern in word_patterns(words):
        row = connection.execute(
            sql.SQL("select {} from {}").format(
                sql.SQL(", ").join(
                    sql.SQL("count(*) filter (where {}::text ~* %(pattern)s)").format(sql.Identifier(name))
                    for name in columns
                ),
                relation.identifier,
            ),
            {"pattern": pattern},
        ).fetchone()
        for name, number in zip(columns, row or (), strict=True):
            if number:
                found[name] = found.get(name, 0) + number
    return found


def blot_words(
    connection: psycopg.Connection, relation: Relation, columns: Collection[str], words: Collection[str]
) -> int:
    """Put `(erased)` in the place of these words in columns of text; returns how many rows had one."""
    changed = 0
    for pattern in word_patterns(words):
        for name in columns:
            changed += connection.execute(
                sql.SQL(
                    "update {0} set {1} = regexp_replace({1}, %(pattern)s, %(blot)s, 'gi') where {1} ~* %(pattern)s"
                ).format(relation.identifier, sql.Identifier(name)),
                {"pattern": pattern, "blot": _BLOTTED},
            ).rowcount
    return changed


def words_in_files(files: Collection[Path], words: Collection[str], *, blot: bool = False) -> Mapping[Path, int]:
    """How often one of the words stands in each file that has any.

    Args:
        files: Of any kind; one that cannot be read any more is passed over.
        words: Which.
        blot: Put `*` in the place of each of their characters; whoever goes on writing at the file's end may.
    """
    patterns = [re.compile(pattern.encode(), re.IGNORECASE) for pattern in word_patterns(words)]
    found: dict[Path, int] = {}
    for path in files:
        try:
            content = path.read_bytes()
            spans = [match.span() for pattern in patterns for match in pattern.finditer(content)]
            if spans and blot:
                with path.open("r+b") as file:
                    for start, end in spans:
                        file.seek(start)
                        file.write(BLOT.encode() * (end - start))
        except OSError:
            continue
        if spans:
            found[path] = len(spans)
    return found


def files_below(*folders: Path, without: Collection[Path] = ()) -> Iterator[Path]:
    """The files in folders and in the folders in them, but for what lies in those that are left out."""
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and not any(path.is_relative_to(other) for other in without):
                yield path
