"""What tables hold, row for row, in two installations that had the same sources."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from etl_assets.drills.installation import Installation

_RELATIONS = """
    select format('%%I.%%I', schemaname, tablename) from pg_tables where schemaname = any(%s) order by 1
"""
_ROWS = """
    select md5((to_jsonb(held) - %s::text[])::text) from {relation} as held
"""


@dataclass(frozen=True)
class ContentDifference:
    """How many rows a table lacks, and how many it has more of than the other one."""

    relation: str
    lost: int
    doubled: int


def content_differences(
    disturbed: Installation, undisturbed: Installation, *, schemas: Iterable[str], without: Collection[str]
) -> tuple[int, list[ContentDifference]]:
    """Compare all tables of some schemas; a table that one does not have has no rows there.

    Args:
        disturbed: The one that is looked at.
        undisturbed: The one that is right.
        schemas: Whose tables.
        without: Columns that tell of loads and not of the source.

    Returns:
        The rows that were compared, and the tables that differ.
    """
    relations = {name for each in (disturbed, undisturbed) for (name,) in each.query(_RELATIONS, list(schemas))}
    compared, found = 0, []
    for relation in sorted(relations):
        is_there, should_be = (_rows(each, relation, without) for each in (disturbed, undisturbed))
        compared += should_be.total()
        lost, doubled = (should_be - is_there).total(), (is_there - should_be).total()
        if lost or doubled:
            found.append(ContentDifference(relation, lost, doubled))
    return compared, found


def _rows(at: Installation, relation: str, without: Collection[str]) -> Counter[str]:
    if at.query("select to_regclass(%s)", relation) == [(None,)]:
        return Counter()
    return Counter(digest for (digest,) in at.query(_ROWS.format(relation=relation), list(without)))
