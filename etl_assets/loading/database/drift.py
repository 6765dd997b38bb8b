"""A table whose source has it otherwise than it is held: what is refused, and what to do about it."""

from collections.abc import Mapping, Sequence

from etl_assets.declare.database import SourceColumn, SourceTable
from etl_assets.errors import SchemaDrift
from etl_assets.warehouse.database.staging import Held
from etl_assets.warehouse.relation import Relation

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_MOMENTS = ("date", "timestamp", "timestamptz")


def hold_types(
    relation: Relation, held: Held, described: SourceTable, views: Mapping[str, Sequence[str]], *, again: str
) -> None:
    """Refuse a table that the source has by other types, or another key, than it is held by.

    Args:
        relation: Where it is held.
        held: How.
        described: As the source has it.
        views: The views that stand on each column.
        again: The command that loads it.

    Raises:
        SchemaDrift: With what to do.
    """
    for column in described.columns:
        kind = held.columns.get(column.staging_name)
        if kind not in {None, column.staging_type}:
            raise SchemaDrift(
                f"{relation}.{column.staging_name} is held as {kind}, and the source now has it as {column.type},"
                f" which is {column.staging_type}. Nothing of the table was loaded. If it is meant to be so, "
                + _conversion(relation, column, str(kind), views, again)
            )
    if held.keys != described.staging_keys:
        every = sorted({view for names in views.values() for view in names})
        raise SchemaDrift(
            f"{relation} is held by the key ({', '.join(held.keys)}), and the source now has it by"
            f" ({', '.join(described.staging_keys)}). Nothing of the table was loaded. " + _renaming(relation, every)
        )


def _conversion(
    relation: Relation, column: SourceColumn, held: str, views: Mapping[str, Sequence[str]], again: str
) -> str:
    cast = _cast(column.staging_name, held, column.staging_type)
    if cast is None:
        every = sorted({view for names in views.values() for view in names})
        return f"no cast keeps the values. {_renaming(relation, every)}"
    standing = views.get(column.staging_name, ())
    return (
        (f"drop the views that stand on it first: {_dropping(standing)}; and then " if standing else "")
        + f'convert it: alter table {relation} alter column "{column.staging_name}" type {column.staging_type}'
        f" using {cast}; and then: {again} --sweep"
    )


def _renaming(relation: Relation, views: Sequence[str]) -> str:
    told = f"Rename the table that is held, and the next load makes a new one: {relation.name}_until_now would do."
    if views:
        told += f" Views follow the table that is renamed; so drop them: {_dropping(views)}."
    return told


def _dropping(views: Sequence[str]) -> str:
    return (
        f"{', '.join(sorted(views))} (drop view ... cascade; etl run builds them again, and etl switch those of"
        " a schema that is named live)"
    )


def _cast(name: str, held: str, wanted: str) -> str | None:
    """The expression that keeps the values; None where there is none, as from bytes to text."""
    column = f'"{name}"'
    if _is_of(held, _NUMBERS) and _is_of(wanted, _NUMBERS):
        return f"{column}::{wanted}"
    if held in _MOMENTS and wanted in _MOMENTS:
        if "timestamptz" not in {held, wanted}:
            return f"{column}::{wanted}"
        # A moment without a zone is UTC here, whatever the session's is.
        moment = f"({column}::timestamp at time zone 'UTC')" if held == "date" else f"({column} at time zone 'UTC')"
        return f"{moment}::{wanted}"
    return f"{column}::text" if wanted == "text" and held != "bytea" else None


def _is_of(kind: str, kinds: Sequence[str]) -> bool:
    return kind.split("(", maxsplit=1)[0] in kinds
