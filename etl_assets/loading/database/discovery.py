"""Discovery: generate the catalogue of a database's tables from its live schema, and find schema drift.

How a table is loaded follows from facts that can be looked up: the timestamp that the database itself updates, the
vendor's word that rows are never changed, the key. A date that people enter is never taken for a cursor column.
"""

from collections.abc import Mapping
from dataclasses import replace

from etl_assets.declare.catalogue import (
    SIZES,
    Catalogue,
    CatalogueFile,
    Override,
    format_catalogue,
    is_named,
    parse_catalogue,
)
from etl_assets.declare.copied_table import CopiedTable, Incremental, Monitoring, looks_secret
from etl_assets.declare.database_reader import DatabaseReader, SourceTable
from etl_assets.declare.privacy import Classification
from etl_assets.declare.staging_names import MAX_COLUMNS
from etl_assets.declare.tables import NAME, Full
from etl_assets.errors import EtlError

SIZE_HYSTERESIS = 2
"""By which factor a table must have left its size class before it is given another."""
BATCH_SIZES = {"tiny": 10_000, "small": 10_000, "medium": 25_000, "large": 50_000}
"""Rows of one statement. At the source a statement holds the table, and whoever wants to write waits: at 200 bytes a
row and 20 MB a second, 50,000 rows take half a second."""
LONG_TYPES = ("mediumtext", "longtext", "mediumblob", "longblob", "json", "bytea")
LONG_TYPE_DIVISOR = 10
"""By how much fewer rows of a table that holds whole documents are read at a time."""
MAX_MINUTES = {"tiny": 5, "small": 5, "medium": 15, "large": 60}
"""What reading all of it takes at 2,000 rows a second, over a slow line, rounded up."""
QUALITY_THRESHOLDS = {"critical": 0.999, "important": 0.99, "audit": 0.99, "reference": 0.95}
ALERT_IMPORTANCES = ("critical", "important")
_READ_WHOLE = "to read all its rows each time, name it in read_whole of tables.py"


def discover(reader: DatabaseReader, catalogue: Catalogue, current_text: str | None) -> str:
    """Generate the text of the catalogue's file from the live database; the same schema gives the same text.

    Args:
        reader: A connection to the source.
        catalogue: By which rules tables are important, and what is overridden by hand.
        current_text: The file as it is, for the classes of size that tables keep until they clearly leave them.

    Raises:
        EtlError: The text held is no catalogue, or the database shows no table at all.
    """
    return build_catalogue(reader.describe(), catalogue, current_text)


def build_catalogue(found: Mapping[str, SourceTable], catalogue: Catalogue, current_text: str | None) -> str:
    """Generate the text of the catalogue's file for these tables; see `discover`."""
    if not found:
        raise EtlError("The database shows no table: is it the right one, and may the account read it?")
    listed = parse_catalogue(current_text, catalogue.path.name) if current_text else CatalogueFile(tables={})
    live = {table.staging_name: table for table in found.values()}
    left_out = {name: why for name, table in live.items() if (why := _reason_to_leave_out(table, catalogue))}
    tables = {
        name: _classify(table, catalogue, listed.tables.get(name))
        for name, table in live.items()
        if name not in left_out
    }
    of_other_versions = {
        name
        for name in (*listed.tables, *listed.left_out)
        if name not in live and is_named(name, catalogue.in_some_versions)
    }
    tables |= {name: table for name, table in listed.tables.items() if name in of_other_versions}
    left_out |= {name: why for name, why in listed.left_out.items() if name in of_other_versions}
    room = catalogue.path.parent.name
    header = (
        f"Written by `etl discover {room}`, which replaces it: what is decided by hand stands in tables.py beside it,\n"
        "and wins. A line a table; names as staging spells them."
    )
    return format_catalogue(CatalogueFile(tables=tables, left_out=left_out), header)


def find_drift(found: Mapping[str, SourceTable], catalogue: Catalogue, current_text: str) -> list[str]:
    """Find where the live database differs from the catalogue: a line each; none where they agree.

    Args:
        found: What the reader's `describe` gives.
        catalogue: The catalogue.
        current_text: The catalogue's file as it is.
    """
    catalogue_file = parse_catalogue(current_text, catalogue.path.name)
    live = {table.staging_name: table for table in found.values()}
    lines = [
        _new_line(name, table, catalogue)
        for name, table in live.items()
        if name not in catalogue_file.tables and name not in catalogue_file.left_out
    ]
    for name, listed in catalogue_file.tables.items():
        if name not in live:
            if not is_named(name, catalogue.in_some_versions):
                lines.append(f"{name}: is no longer at the source. What is held of it stays.")
        else:
            lines += [f"{name}: {what}" for what in _table_drift(listed, live[name], catalogue)]
            lines += [f"{name}: {what}" for what in _unknown_columns(live[name], catalogue)]
    if catalogue.classification:
        lines += [
            f"{name}: {_join_names(new)} is not loaded, for {catalogue.classification.path.name} does not say what may"
            " be done with it."
            for name, table in live.items()
            if name in catalogue.classification.tables
            if (new := catalogue.classification.of(name).unclassified([each.staging_name for each in table.columns]))
        ]
    lines += [
        f"{name}: tables.py speaks of it, and the source has no such table."
        for name in catalogue.overrides
        if name not in live
    ]
    return sorted(lines)


def describe_left_out(text: str, file: str) -> list[str]:
    """The tables that a catalogue's file leaves out, a line each, with why and what to do."""
    return [f"{name} is left out: it {why}." for name, why in sorted(parse_catalogue(text, file).left_out.items())]


def _reason_to_leave_out(table: SourceTable, catalogue: Catalogue) -> str:
    """Why a table cannot be loaded as it is, and what to do; empty where it can."""
    if table.part_of:
        return f"is a part of {table.part_of}, with which its rows are read"
    if catalogue.classification and (why := _reason_by_class(table, catalogue.classification)):
        return why
    return _reason_by_shape(table, catalogue)


def _reason_by_shape(table: SourceTable, catalogue: Catalogue) -> str:
    """Why a table cannot be loaded for its columns and its key; empty where it can."""
    override = catalogue.overrides.get(table.staging_name, Override())
    if len(table.without(override.never_load.split()).columns) > MAX_COLUMNS:
        return f"has more than {MAX_COLUMNS:,} columns, and PostgreSQL no more; say in tables.py which are never_load"
    if is_named(table.staging_name, catalogue.read_whole):
        return ""
    if not table.key:
        return f"has no key; {_READ_WHOLE}"
    if not all(map(NAME.match, table.staging_keys)):
        return f"has a key whose name is not made of letters, digits and underscores; {_READ_WHOLE}"
    return ""


def _reason_by_class(table: SourceTable, classification: Classification) -> str:
    """Why a table stays at a source whose columns are classified; empty where it does not."""
    file, classes = classification.path.name, classification.of(table.staging_name)
    if table.staging_name not in classification.tables:
        return f"is not classified; say in {file} what may be done with each of its columns"
    if not classes.is_loaded:
        return f"is never to leave the source, as {file} says: {classes.purpose}"
    if hidden := [key for key in table.staging_keys if classes.leaves_out(key)]:
        return f"has a key that is not to be loaded: {_join_names(hidden)}; say in {file} that it may be"
    return ""


def _classify(table: SourceTable, catalogue: Catalogue, listed: CopiedTable | None) -> CopiedTable:
    name = table.staging_name
    rule = next((each for each in catalogue.classes if each.matches(table)), None)
    if rule is None:
        raise EtlError(f"{name}: no rule says how important it is. The last of the rules must hold for every table.")
    size = _size_class(table.rows, listed.size if listed else None)
    classes = catalogue.classes_of(name)
    read = [column for column in table.columns if not (classes and classes.leaves_out(column.staging_name))]
    has_long_type = any(column.type.lower().startswith(LONG_TYPES) for column in read)
    # Of rows without a key nobody can tell which the source has deleted.
    key = () if is_named(name, catalogue.read_whole) else table.staging_keys
    retain_deleted = bool(key) and (rule.importance == "audit" or is_named(name, catalogue.retain_deleted))
    return CopiedTable(
        name=name,
        key=key,
        load=_choose_load(table, catalogue),
        importance=rule.importance,
        why=rule.why,
        batch_size=BATCH_SIZES[size] // (LONG_TYPE_DIVISOR if has_long_type else 1),
        size=size,
        retain_deleted=retain_deleted,
        monitoring=Monitoring(
            alert_on_failure=rule.importance in ALERT_IMPORTANCES,
            max_extraction_time_minutes=MAX_MINUTES[size],
            data_quality_threshold=QUALITY_THRESHOLDS[rule.importance],
        ),
    )


def _choose_load(table: SourceTable, catalogue: Catalogue) -> Full | Incremental:
    """Choose the load: by a cursor column that the database updates, by the key where rows never change, else full."""
    stamps = [column.staging_name for column in table.columns if column.on_update_timestamp]
    if not table.key or is_named(table.staging_name, catalogue.read_whole):
        return Full()
    if stamps:
        return Incremental(column=stamps[0])
    if table.staging_name in catalogue.append_only and table.has_integer_key:
        return Incremental(column=table.staging_keys[0])
    return Full()


def _size_class(rows: int, listed: str | None) -> str:
    """The size class of a number of rows; the one listed, as long as the table is not clearly out of it."""
    names = list(SIZES)
    if listed:
        place = names.index(listed)
        least = SIZES[names[place - 1]] if place else 0
        most = SIZES[listed]
        if rows * SIZE_HYSTERESIS >= (least or 0) and (most is None or rows < most * SIZE_HYSTERESIS):
            return listed
    return next(name for name, most in SIZES.items() if most is None or rows < most)


def _new_line(name: str, table: SourceTable, catalogue: Catalogue) -> str:
    if why := _reason_to_leave_out(table, catalogue):
        return f"{name}: is new at the source, and is not loaded: it {why}."
    new = _classify(table, catalogue, None)
    columns = f"{len(table.columns)} column{'s' * (len(table.columns) != 1)}"
    return f"{name}: is new at the source, of {columns} ({new.importance}: {new.why}). It is not loaded yet."


def _table_drift(listed: CopiedTable, live: SourceTable, catalogue: Catalogue) -> list[str]:
    lines = []
    if not is_named(listed.name, catalogue.read_whole) and tuple(listed.keys) != live.staging_keys:
        lines.append(f"its key was {_join_names(listed.keys)} and is {_join_names(live.staging_keys)}.")
    was, now = listed.cursor, replace(listed, load=_choose_load(live, catalogue)).cursor
    before, after = (cursor.column if cursor else None for cursor in (was, now))
    if before != after:
        lines.append(f"{_describe_cursor(before)}, and {_describe_cursor(after)} now.")
    if catalogue.classification:
        return lines  # by its class a column is loaded or not, and not by its name
    override = catalogue.overrides.get(listed.name)
    not_secret = {
        *catalogue.not_secret.split(),
        *(f"{override.not_secret} {override.never_load}" if override else "").split(),
    }
    secret = [
        column.name
        for column in live.columns
        if looks_secret(column.name) and column.staging_name not in {*not_secret, *live.staging_keys}
    ]
    if secret:
        lines.append(
            f"{_join_names(secret)} may be secret by name; not loaded until tables.py says never_load or not_secret."
        )
    return lines


def _unknown_columns(live: SourceTable, catalogue: Catalogue) -> list[str]:
    """Overrides of columns that the table does not have: a secret may have been renamed."""
    override = catalogue.overrides.get(live.staging_name, Override())
    there = {column.staging_name for column in live.columns}
    names = f"{override.never_load} {override.not_secret} {override.personal} {override.event_date or ''}".split()
    missing = [name for name in names if name not in there]
    return [f"tables.py speaks of {_join_names(missing)}, and the source has no such column."] if missing else []


def _describe_cursor(column: str | None) -> str:
    return f"what changed was found by {column}" if column else "no column said what changed"


def _join_names(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) and names else "none"
