"""Schema drift of a source table: which changes a load refuses, and what to do about them."""

from collections.abc import Mapping, Sequence

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.database_reader import SourceColumn, SourceTable
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, SchemaDrift
from etl_assets.warehouse.database.staging import ExistingTable
from etl_assets.warehouse.relation import Relation

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_MOMENTS = ("date", "timestamp", "timestamptz")


def check_schema(
    relation: Relation,
    existing: ExistingTable,
    source_table: SourceTable,
    views: Mapping[str, Sequence[str]],
    *,
    rerun_command: str,
) -> None:
    """Refuse a table whose column types or key at the source differ from staging's.

    Args:
        relation: Where it is held.
        existing: Its columns and key there.
        source_table: As the source has it.
        views: The views that stand on each column.
        rerun_command: The command that loads it.

    Raises:
        SchemaDrift: With what to do.
    """
    for column in source_table.columns:
        kind = existing.columns.get(column.staging_name)
        if kind not in {None, column.staging_type}:
            raise SchemaDrift(
                f"{relation}.{column.staging_name} is held as {kind}, and the source now has it as {column.type},"
                f" which is {column.staging_type}. Nothing of the table was loaded. If it is meant to be so, "
                + _conversion_advice(relation, column, str(kind), views, rerun_command)
            )
    if existing.keys != source_table.staging_keys:
        all_views = sorted({view for names in views.values() for view in names})
        raise SchemaDrift(
            f"{relation} is held by the key ({', '.join(existing.keys)}), and the source now has it by"
            f" ({', '.join(source_table.staging_keys)}). Nothing of the table was loaded. "
            + _rename_advice(relation, all_views)
        )


def _conversion_advice(
    relation: Relation, column: SourceColumn, existing_type: str, views: Mapping[str, Sequence[str]], rerun_command: str
) -> str:
    cast = _cast(column.staging_name, existing_type, column.staging_type)
    if cast is None:
        all_views = sorted({view for names in views.values() for view in names})
        return f"no cast keeps the values. {_rename_advice(relation, all_views)}"
    views_on_column = views.get(column.staging_name, ())
    return (
        (
            f"drop the views that stand on it first: {_drop_advice(views_on_column)}; and then "
            if views_on_column
            else ""
        )
        + f'convert it: alter table {relation} alter column "{column.staging_name}" type {column.staging_type}'
        f" using {cast}; and then: {rerun_command} --sweep"
    )


def _rename_advice(relation: Relation, views: Sequence[str]) -> str:
    message = f"Rename the table that is held, and the next load makes a new one: {relation.name}_until_now would do."
    if views:
        message += f" Views follow the table that is renamed; so drop them: {_drop_advice(views)}."
    return message


def _drop_advice(views: Sequence[str]) -> str:
    return (
        f"{', '.join(sorted(views))} (drop view ... cascade; etl run builds them again, and etl switch those of"
        " a schema that is named live)"
    )


def _cast(name: str, existing_type: str, wanted: str) -> str | None:
    """The expression that keeps the values; None where there is none, as from bytes to text."""
    column = f'"{name}"'
    if _is_of(existing_type, _NUMBERS) and _is_of(wanted, _NUMBERS):
        return f"{column}::{wanted}"
    if existing_type in _MOMENTS and wanted in _MOMENTS:
        if "timestamptz" not in {existing_type, wanted}:
            return f"{column}::{wanted}"
        # A moment without a zone is UTC here, whatever the session's is.
        moment = (
            f"({column}::timestamp at time zone 'UTC')" if existing_type == "date" else f"({column} at time zone 'UTC')"
        )
        return f"{moment}::{wanted}"
    return f"{column}::text" if wanted == "text" and existing_type != "bytea" else None


def _is_of(kind: str, kinds: Sequence[str]) -> bool:
    return kind.split("(", maxsplit=1)[0] in kinds


def check_table_names(source: Source, name: str, described: Sequence[SourceTable]) -> None:
    """Refuse a name that staging has for none of the tables that the source calls so, and a part of another table."""
    called_so = [table for table in described if table.name.lower() == name and table.staging_name != name]
    if called_so:
        raise EtlError(
            f"{source.schema}.{name}: {source.title} has {', '.join(sorted(table.name for table in called_so))}, which"
            f" staging calls {', '.join(sorted(table.staging_name for table in called_so))}, so that no two tables have"
            f" one name. Nothing of it was loaded. Run: etl discover {source.name}"
        )
    for table in described:
        if table.staging_name == name and table.part_of:
            raise EtlError(
                f"{source.schema}.{name}: it is a part of {table.part_of}, with which its rows are read. Nothing of it"
                f" was loaded, and what is held of it stays. Run: etl discover {source.name}"
            )


def check_personal_columns(source: Source, table: CopiedTable, found: SourceTable) -> None:
    """Refuse a table that lacks a column declared as personal: under another name it would be shown to readers.

    Not where columns are classified: under another name it would not be loaded.
    """
    if table.classes is not None:
        return
    there = {column.staging_name for column in found.columns}
    missing = [name for name in table.personal if name not in there]
    if missing:
        raise EtlError(
            f"{source.schema}.{table.name}: {', '.join(missing)} is declared as personal, and {source.title} has no"
            " such column. It may have been renamed, and would be shown to readers by its new name. Nothing of the"
            f" table was loaded. Say in etl_assets/sources/{source.name}/tables.py what its personal columns are called"
            f" now, or that there are none; to see what has changed, run: etl discover {source.name} --check"
        )
