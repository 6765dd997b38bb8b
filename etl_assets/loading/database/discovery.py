"""Write the catalogue of a database's tables from what the database says of itself, and tell where the two part.

How a table is loaded follows from facts that can be looked up: the stamp that the database itself moves, the vendor's
word that rows are never changed, the key. A date that people enter is never taken for a stamp.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from etl_assets.declare.catalogue import SIZES, Catalogue, Listing, Override, read_listing, write_listing
from etl_assets.declare.database import DatabaseReader, SourceTable
from etl_assets.declare.tables import Copied, Full, Incremental, Monitoring, Table, looks_secret
from etl_assets.errors import EtlError

LEEWAY = 2
"""By which factor a table must have left its class of size before it is given another."""
BATCH_SIZES = {"tiny": 10_000, "small": 10_000, "medium": 25_000, "large": 50_000}
"""Rows of one statement. At the source a statement holds the table, and whoever wants to write waits: at 200 bytes a
row and 20 MB a second, 50,000 rows take half a second."""
HEAVY = ("mediumtext", "longtext", "mediumblob", "longblob", "json", "bytea")
LIGHTER = 10
"""By how much fewer rows of a table that holds whole documents are read at a time."""
MINUTES = {"tiny": 5, "small": 5, "medium": 15, "large": 60}
"""What reading all of it takes at 2,000 rows a second, over a slow line, rounded up."""
THRESHOLDS = {"critical": 0.999, "important": 0.99, "audit": 0.99, "reference": 0.95}
ALERTED = ("critical", "important")
_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")


def discover(reader: DatabaseReader, catalogue: Catalogue, held_text: str | None) -> str:
    """The text of the catalogue's file as the live database has it now; the same source gives the same text.

    Args:
        reader: A connection to the source.
        catalogue: By which rules tables are important, and what is said of them by hand.
        held_text: The file as it is, for the classes of size that tables keep until they clearly leave them.

    Raises:
        EtlError: The text held is no catalogue, or the database shows no table at all.
    """
    return write_found(reader.describe(), catalogue, held_text)


def write_found(found: Mapping[str, SourceTable], catalogue: Catalogue, held_text: str | None) -> str:
    """The text of the catalogue's file for these tables; see `discover`."""
    if not found:
        raise EtlError("The database shows no table: is it the right one, and may the account read it?")
    held = read_listing(held_text, catalogue.path.name) if held_text else Listing(tables={})
    reasons = {name.lower(): _reason_to_leave_out(table) for name, table in found.items()}
    tables = {
        name.lower(): _classified(table, catalogue, held.tables.get(name.lower()))
        for name, table in found.items()
        if not reasons[name.lower()]
    }
    left_out = {name: why for name, why in reasons.items() if why}
    room = catalogue.path.parent.name
    header = (
        f"Written by `etl discover {room}`, which replaces it: what is decided by hand stands in tables.py beside it,\n"
        "and wins. A line a table; names as staging spells them."
    )
    return write_listing(Listing(tables=tables, left_out=left_out), header)


def drift(found: Mapping[str, SourceTable], catalogue: Catalogue, held_text: str) -> list[str]:
    """Where the live database and the catalogue part, a line each; none where they agree.

    Args:
        found: What the reader's `describe` gives.
        catalogue: The catalogue.
        held_text: The catalogue's file as it is.
    """
    listing = read_listing(held_text, catalogue.path.name)
    live = {name.lower(): table for name, table in found.items()}
    lines = [
        _new_line(name, table, catalogue)
        for name, table in live.items()
        if name not in listing.tables and name not in listing.left_out
    ]
    for name, held in listing.tables.items():
        if name not in live:
            lines.append(f"{name}: is no longer at the source. What is held of it stays.")
        else:
            lines += [f"{name}: {what}" for what in _parted(held, live[name], catalogue)]
            lines += [f"{name}: {what}" for what in _misnamed(live[name], catalogue)]
    lines += [
        f"{name}: tables.py speaks of it, and the source has no such table."
        for name in catalogue.overrides
        if name not in live
    ]
    return sorted(lines)


def _reason_to_leave_out(table: SourceTable) -> str:
    if not table.key:
        return "has no key"
    if not _NAME.match(table.name.lower()) or any(not _NAME.match(key) for key in table.staging_keys):
        return "its name or its key's is not made of letters, digits and underscores"
    return ""


def _classified(table: SourceTable, catalogue: Catalogue, held: Table | None) -> Table:
    name = table.name.lower()
    rule = next((each for each in catalogue.classes if each.holds(table)), None)
    if rule is None:
        raise EtlError(f"{name}: no rule says how important it is. The last of the rules must hold for every table.")
    size = _size(table.rows, held.copied.size if held and held.copied else None)
    heavy = any(column.type.lower().startswith(HEAVY) for column in table.columns)
    keeps = rule.importance == "audit" or any(fnmatchcase(name, each) for each in catalogue.outlive.split())
    return Table(
        name=name,
        key=table.staging_keys,
        load=_load(table, catalogue),
        copied=Copied(
            importance=rule.importance,
            why=rule.why,
            batch_size=BATCH_SIZES[size] // (LIGHTER if heavy else 1),
            size=size,
            keep_deleted=keeps,
            monitoring=Monitoring(
                alert_on_failure=rule.importance in ALERTED,
                max_extraction_time_minutes=MINUTES[size],
                data_quality_threshold=THRESHOLDS[rule.importance],
            ),
        ),
    )


def _load(table: SourceTable, catalogue: Catalogue) -> Full | Incremental:
    """By the stamp that the database moves; by the key where rows never change; else range by range of the key."""
    stamps = [column.staging_name for column in table.columns if column.moves]
    if stamps:
        return Incremental(column=stamps[0])
    if table.name.lower() in catalogue.append_only and table.ranged:
        return Incremental(column=table.staging_keys[0])
    return Full()


def _size(rows: int, held: str | None) -> str:
    """The class of a number of rows; the one held, as long as the table is not clearly out of it."""
    names = list(SIZES)
    if held:
        place = names.index(held)
        least = SIZES[names[place - 1]] if place else 0
        most = SIZES[held]
        if rows * LEEWAY >= (least or 0) and (most is None or rows < most * LEEWAY):
            return held
    return next(name for name, most in SIZES.items() if most is None or rows < most)


def _new_line(name: str, table: SourceTable, catalogue: Catalogue) -> str:
    if why := _reason_to_leave_out(table):
        return f"{name}: is new at the source, and cannot be loaded: {why}."
    copied = _classified(table, catalogue, None).copied
    said = f"{copied.importance}: {copied.why}" if copied else ""
    columns = f"{len(table.columns)} column{'s' * (len(table.columns) != 1)}"
    return f"{name}: is new at the source, of {columns} ({said}). It is not loaded yet."


def _parted(held: Table, live: SourceTable, catalogue: Catalogue) -> list[str]:
    lines = []
    if tuple(held.keys) != live.staging_keys:
        lines.append(f"its key was {_named(held.keys)} and is {_named(live.staging_keys)}.")
    was, now = held.load, _load(live, catalogue)
    before = was.column if isinstance(was, Incremental) else None
    after = now.column if isinstance(now, Incremental) else None
    if before != after:
        lines.append(f"{_moves(before)}, and {_moves(after)} now.")
    said = catalogue.overrides.get(held.name)
    harmless = {*catalogue.harmless.split(), *(f"{said.harmless} {said.never_load}" if said else "").split()}
    secret = [
        column.name
        for column in live.columns
        if looks_secret(column.name) and column.staging_name not in {*harmless, *live.staging_keys}
    ]
    if secret:
        lines.append(f"{_named(secret)} may be secret by name; not loaded until tables.py says never_load or harmless.")
    return lines


def _misnamed(live: SourceTable, catalogue: Catalogue) -> list[str]:
    """What is said by hand of columns that the table does not have: a secret may have been renamed."""
    said = catalogue.overrides.get(live.name.lower(), Override())
    there = {column.staging_name for column in live.columns}
    words = f"{said.never_load} {said.harmless} {said.happens_on or ''}".split()
    missing = [word for word in words if word not in there]
    return [f"tables.py speaks of {_named(missing)}, and the source has no such column."] if missing else []


def _moves(column: str | None) -> str:
    return f"what changed was found by {column}" if column else "no column said what changed"


def _named(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) and names else "none"
