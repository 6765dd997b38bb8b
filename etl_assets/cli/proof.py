"""The command that proves staging tables complete."""

import argparse
from collections.abc import Iterator
from datetime import UTC

from etl_assets.cli.arguments import Commands, command, source_named, tables_named
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table
from etl_assets.errors import EtlError
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.proof import NewestLoad, TableProof, UncountedKeys, WriteByHand, prove_table, recount
from etl_assets.warehouse.relation import Relation

SHOWN_KEYS = 20
DONE = {"insert": "put in", "delete": "deleted", "truncate": "emptied"}


def prove(options: argparse.Namespace) -> None:
    """Prove staging tables complete: what the source said, what was taken and refused, and that it is there still.

    Raises:
        EtlError: A table has not the keys that its loads left; it says which, and who wrote to the table.
    """
    source: Source = options.source
    if bool(options.accept_by) != bool(options.why):
        raise EtlError("What was done by hand is accepted by somebody, for a reason: --accept-by NAME --why WORDS")
    names = tables_named(source, options.table, None)
    if options.accept_by and not names:
        raise EtlError("Name the table that is accepted as it is.")
    faults: list[str] = []
    with connect(read_settings(), autocommit=True) as connection:
        for name in names or [table.name for table in source.tables]:
            relation = Relation(source.schema, name)
            if options.accept_by:
                recount(connection, relation, by=options.accept_by, why=options.why)
            proof = prove_table(connection, relation)
            if proof.loads or names:
                print("\n".join(_lines(relation, proof)))
            found = [*map(_write_line, proof.writes_by_hand), *map(_uncounted_line, proof.uncounted_keys)]
            if found:
                faults += [f"{relation}: {fault}" for fault in found]
                faults.append(f"To have it read again: {_again(source, source.table(name))}")
    if faults:
        raise EtlError("\n".join(faults))
    print("No key is missing, and none is there that no load has brought.")


def _lines(relation: Relation, proof: TableProof) -> Iterator[str]:
    if not proof.loads:
        yield f"{relation}: it was never loaded."
        return
    yield str(relation)
    for load in proof.loads:
        yield f"  {_load_line(load)}"
    if not proof.is_counted:
        yield "  Its rows are not counted yet: the next load that changes one begins to."


def _uncounted_line(found: UncountedKeys) -> str:
    state = "missing" if found.rows > 0 else "there that no load has brought"
    key = f": key {found.key}" if found.key else ""
    is_or_are = "is" if abs(found.rows) == 1 else "are"
    return f"{_number(abs(found.rows))} {is_or_are} {state}{key}; nobody was seen"


def _load_line(load: NewestLoad) -> str:
    stated = ", ".join(f"{number:,} {what.replace('_', ' ')}" for what, number in load.source_said.items())
    whose = f" of {load.instance}" if load.instance else ""
    held = "" if load.rows_held is None else f"; {load.rows_held:,} rows were held then"
    columns = f" ({', '.join(load.refused_for)})" if load.refused_for else ""
    return (
        f"{load.loaded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC{whose}: the source said {stated or 'no number'};"
        f" {load.rows_read - load.rows_rejected:,} taken, {load.rows_rejected:,} refused{columns}{held}"
    )


def _write_line(write: WriteByHand) -> str:
    when = f"{write.done_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    who = f"by {write.done_by}" + (f" ({write.application})" if write.application else "")
    shown = ", ".join(write.keys[:SHOWN_KEYS]) + (", ..." if len(write.keys) > SHOWN_KEYS else "")
    keys = f": key {shown}" if shown else ""
    return f"{_number(write.rows)} {DONE[write.operation]} by hand {when} {who}{keys}"


def _number(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _again(source: Source, table: Table) -> str:
    return f"etl run {source.name} {table.name} {table.read_again}".rstrip()


def add_prove_command(commands: Commands) -> None:
    """The command `prove`."""
    made = command(commands, "prove", prove)
    made.add_argument("source", type=source_named)
    made.add_argument("table", nargs="*", help="staging tables; all of them where none is named")
    made.add_argument("--accept-by", metavar="NAME", help="accept the named tables as they are: who does")
    made.add_argument("--why", metavar="WORDS", help="and for which reason")
