"""Publish marts with small cells suppressed: all of a source in one transaction, once an attack on them fails."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from etl_assets.declare.publication import REASON, Publication
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.quality.disclosure import Bounds, Cell, Contradiction, suppress
from etl_assets.quality.linked_marts import LinkedMarts, MartRows, hide_cells, link_marts
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import LOADER, READER, TRANSFORMER, connect
from etl_assets.warehouse.ledger import Batch, missing_relations, model_states, newest_changes
from etl_assets.warehouse.published_marts import (
    read_mart,
    record_release,
    released_cells,
    releases,
    replace_mart,
    shape_mart,
)
from etl_assets.warehouse.relation import Relation

MINIMUM = "min_persons"
"""Setting ETL_<SOURCE>_MIN_PERSONS: of fewer persons nothing is shown."""
FEWEST = 2
"""What is shown of one person alone is that person's."""


@dataclass(frozen=True)
class Published:
    """What became of the marts of a source."""

    disclosed: Sequence[Bounds]
    """The hidden cells that what is shown would tell: where there is one, nothing was published."""
    hidden: int = 0
    """How many cells are hidden."""
    cells: int = 0
    written: Mapping[str, int] | None = None
    """How many rows were written or deleted, by mart; None where nothing was published."""


def publish_marts(settings: Settings, batch: Batch, source: Source, *, force: bool = False) -> Published | None:
    """Publish the marts of a source; None where they are as they were published last.

    Args:
        settings: Which warehouse, and the least number of persons.
        batch: Whose work it is.
        source: Whose marts.
        force: Publish also where nothing has changed.

    Raises:
        EtlError: A mart was not built yet, or there are too many combinations to hold them against each other.
    """
    publication = publication_of(source)
    k = least_persons(settings, source)
    exact = _marts_in(publication.exact_schema, publication)
    _require_built(batch.connection, source, exact)
    build = _build_words(batch.connection, publication, exact, k)
    with connect(settings, role=TRANSFORMER) as connection:
        # All marts as of one moment.
        connection.execute("set transaction isolation level repeatable read")
        mode = "full" if force else "changed"
        connection.execute(
            "select set_config('etl.batch_id', %s, true), set_config('etl.build', %s, true)", [str(batch.id), mode]
        )
        marts = _marts_in(publication.schema, publication)
        if all(_begin(connection, relation, build) == "current" for relation in marts.values()):
            return None
        rows = _read_marts(connection, exact)
        newest = releases(connection, source.name)[:1]
        earlier = _cells(released_cells(connection, newest[0])) if newest else {}
        shown = suppress_marts(publication, rows, k, earlier)
        # What the release before tells alone, nobody can hide any more.
        disclosed = [each for each in attack_marts(publication, shown, earlier) if each.by]
        if disclosed:
            return Published(disclosed)
        written = {}
        for mart in publication.marts:
            relation = marts[mart.name]
            _begin(connection, relation, build)
            shape_mart(
                connection,
                relation,
                exact[mart.name],
                without=mart.unpublished,
                more={REASON: publication.reason.format(k=k)},
            )
            written[mart.name] = replace_mart(connection, relation, mart.key, shown[mart.name])
            connection.execute(
                "select etl.end_build(%s, %s, %s, null, 0, 0)", [str(relation), build, written[mart.name]]
            )
        cells = {
            cell: number for each in link_marts(publication, shown, k).values() for cell, number in each.cells.items()
        }
        if any(written.values()) or not newest:
            record_release(connection, source.name, batch.id, [(*cell, cells[cell]) for cell in cells], k=k)
    return Published([], sum(number is None for number in cells.values()), len(cells), written)


def is_published(settings: Settings, connection: psycopg.Connection, source: Source) -> bool:
    """Whether readers see the marts of a source as they were built last.

    Args:
        settings: Of how many persons something is shown.
        connection: As the loader.
        source: Whose marts.
    """
    publication = publication_of(source)
    exact = _marts_in(publication.exact_schema, publication)
    build = json.loads(_build_words(connection, publication, exact, least_persons(settings, source)))
    states = model_states(connection, [f"{publication.schema}.{name}" for name in exact])
    newest = newest_changes(connection, build["inputs"])
    return len(states) == len(exact) and all(
        state.code_version == build["code"] and all(newest[name] <= state.seen.get(name, 0) for name in newest)
        for state in states.values()
    )


def suppress_marts(publication: Publication, rows: MartRows, k: int, earlier: Mapping[Cell, int | None]) -> MartRows:
    """The rows of marts as they may be read.

    Args:
        publication: What the marts count.
        rows: Theirs, exact.
        k: The least number of persons that is shown.
        earlier: The cells of the release before.
    """
    hidden: set[Cell] = set()
    linked = link_marts(publication, rows, k).values()
    before = [each.shown_before(earlier) for each in linked]
    numbers = {cell: number for each in linked for cell, number in each.cells.items()}
    while True:
        for each, known in zip(linked, before, strict=True):
            hidden |= suppress(each.attack(known), each.small | (hidden & each.cells.keys()), keep=known.keys())
        shown = hide_cells(publication, rows, hidden, k)
        # Whoever does not see that a month has changed takes more of the earlier release to hold.
        disclosed = [each for each in attack_marts(publication, shown, earlier) if each.by]
        if not disclosed:
            return shown
        hidden |= {min(each.by, key=lambda cell: (numbers[cell] or 0, cell)) for each in disclosed}


def attack_marts(
    publication: Publication, shown: MartRows, earlier: Mapping[Cell, int | None] | None = None
) -> list[Bounds]:
    """The hidden cells of published marts that follow from what they show, and from what an earlier release showed.

    What that release showed itself is no news, and not among them.
    """
    found = []
    for each in link_marts(publication, shown, publication.k).values():
        before = each.shown_before(earlier or {})
        found += [bounds for bounds in _disclosed(each, before) if bounds.cell not in before]
    return sorted(found)


def _disclosed(marts: LinkedMarts, before: Mapping[Cell, int]) -> list[Bounds]:
    try:
        return marts.attack(before).disclosed()
    except Contradiction:
        if not before:
            raise
        # More has changed since than the numbers show: the earlier ones do not hold any more.
        return marts.attack().disclosed()


def attack_published(settings: Settings, source: Source, *, against: int | None = None) -> list[Bounds]:
    """Attack the marts of a source as a reader may, who kept an earlier release, too.

    Args:
        settings: Which warehouse.
        source: Whose marts.
        against: The release that is held against them; the one before the newest where none is named.

    Raises:
        EtlError: Nothing was published yet, or there is no such release.
    """
    publication = publication_of(source)
    with connect(settings, role=LOADER) as connection:
        kept = releases(connection, source.name)
        if not kept:
            raise EtlError(f"Nothing of {source.name} was published yet: etl run {source.name}")
        if against is not None and against not in kept:
            raise EtlError(f"Release {against} is not kept. There are {', '.join(map(str, kept))}.")
        release = against if against is not None else next(iter(kept[1:]), None)
        earlier = _cells(released_cells(connection, release)) if release else {}
    with connect(settings, role=READER) as connection:
        shown = _read_marts(connection, _marts_in(publication.schema, publication))
    return attack_marts(publication, shown, earlier)


def attack_primary(settings: Settings, source: Source) -> list[Bounds]:
    """Attack the marts as they would be if cells of too few persons alone were hidden: why others are hidden too."""
    publication, k = publication_of(source), least_persons(settings, source)
    with connect(settings, role=TRANSFORMER) as connection:
        rows = _read_marts(connection, _marts_in(publication.exact_schema, publication))
    small = {cell for each in link_marts(publication, rows, k).values() for cell in each.small}
    return attack_marts(publication, hide_cells(publication, rows, small, k))


def publication_of(source: Source) -> Publication:
    """What a source publishes.

    Raises:
        EtlError: It has no marts whose cells are suppressed.
    """
    if source.publication is None:
        raise EtlError(f"{source.name} has no marts in which small cells are suppressed.")
    return source.publication


def least_persons(settings: Settings, source: Source) -> int:
    """Of how many persons at least something is shown.

    Raises:
        EtlError: It is no whole number, or less than two.
    """
    given = settings.of_source(source.name).get(MINIMUM)
    if given is None:
        return publication_of(source).k
    if not given.isdecimal() or int(given) < FEWEST:
        raise EtlError(
            f"ETL_{source.name}_{MINIMUM}".upper() + f" is {given!r}; a whole number from {FEWEST} on was expected."
        )
    return int(given)


def _marts_in(schema: str, publication: Publication) -> dict[str, Relation]:
    return {mart.name: Relation(schema, mart.name) for mart in publication.marts}


def _read_marts(connection: psycopg.Connection, marts: Mapping[str, Relation]) -> dict[str, list[dict[str, Any]]]:
    return {name: read_mart(connection, relation) for name, relation in marts.items()}


def _require_built(connection: psycopg.Connection, source: Source, exact: Mapping[str, Relation]) -> None:
    if missing := missing_relations(connection, [str(relation) for relation in exact.values()]):
        raise EtlError(
            f"{', '.join(sorted(missing))} was not built yet, so that nothing can be published: etl run {source.name}"
        )


def _build_words(
    connection: psycopg.Connection, publication: Publication, exact: Mapping[str, Relation], k: int
) -> str:
    """What the ledger knows of a published mart: all are published anew when one has changed, or what is declared."""
    inputs = sorted(map(str, exact.values()))
    versions = {name: state.code_version for name, state in model_states(connection, inputs).items()}
    code = hashlib.sha256(repr((replace(publication, k=k), sorted(versions.items()))).encode()).hexdigest()[:16]
    return json.dumps({"code": code, "inputs": inputs, "dated_inputs": {}, "undated_inputs": inputs, "by_day": False})


def _begin(connection: psycopg.Connection, relation: Relation, build: str) -> str:
    row = connection.execute("select etl.begin_build(%s, %s)", [str(relation), build]).fetchone()
    return str(row[0]) if row else ""


def _cells(held: Mapping[tuple[str, tuple[str, ...]], int | None]) -> dict[Cell, int | None]:
    return {Cell(*cell): number for cell, number in held.items()}
