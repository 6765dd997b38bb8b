"""Document tables: how the staging table of a service's records is laid out, and how SQL speaks of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from etl_assets.declare.rest import INSTANCE, RestTable
from etl_assets.declare.tables import Column
from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.merge import equal
from etl_assets.warehouse.relation import Relation, column_list
from etl_assets.warehouse.tables import Index, TableLayout

DOCUMENT = {
    "loaded_at": "timestamptz not null default now()",
    "raw_data": "jsonb not null",
    "vanished_at": "timestamptz",
    "deleted_at": "timestamptz",
    BATCH_COLUMN: "uuid not null",
}
"""What every row has besides its key: the record as it came, and what became of it.

`loaded_at` is when this document was first seen; `vanished_at` when the source's list no longer gave it, although it
should have; `deleted_at` when the source said that there is no such record (a soft delete).
"""
LATEST = "is_latest"
"""Marks the latest version of a record, of a table that keeps them all."""


def document_keys(table: RestTable) -> tuple[Column, ...]:
    """The columns that identify a record, within its instance."""
    return tuple(Column(name=each.name, type=each.type) for each in table.key_fields)


def document_layout(table: RestTable, *, instances: bool) -> TableLayout:
    """One row a record and its date; or, of a table that is read whole, one row for each version of a record."""
    keys = document_keys(table)
    if instances:
        keys = (Column(name=INSTANCE, type="text"), *keys)
    names = [column.name for column in keys]
    if table.has_versions:
        return TableLayout(
            columns=keys,
            bookkeeping={LATEST: "boolean not null default true", **DOCUMENT},
            key=[*names, "loaded_at"],
            indexes=[Index(columns=names, unique=True, where=LATEST)],
        )
    return TableLayout(
        columns=keys,
        bookkeeping={"slice": "date not null", "first_loaded_at": "timestamptz not null default now()", **DOCUMENT},
        key=names,
        indexes=[Index(columns=["slice"])],
    )


@dataclass(frozen=True, kw_only=True)
class DocumentTable:
    """A table of JSON documents, and how it keeps them."""

    relation: Relation
    keys: Sequence[Column]
    """The columns of the key, without the instance."""
    keeps_versions: bool
    """Whether it keeps every document that a record has had; else the newest alone, with its date."""
    instance: str = ""
    """Which tenant's records are meant; empty where the table has one."""

    @property
    def key_names(self) -> list[str]:
        """The key without the instance."""
        return [column.name for column in self.keys]

    @property
    def key_of_keyless(self) -> str | None:
        """What the quarantine has in place of the key of a record without one: whose it is, where there are several."""
        return f"{self.instance}|" if self.instance else None

    @property
    def key_types(self) -> list[str]:
        """The types of the key's columns."""
        return [column.type for column in self.keys]

    def statement(self, text: str, **more: sql.Composable) -> sql.Composed:
        """SQL with these filled in, and what more is given.

        {target}; {keys}, and {target_keys} with the instance before them; {same} holds of `existing` and `incoming` of
        one key; {existing_keys}; {instance} holds of rows of the instance, in `existing`; {incoming}, the staged
        documents, each record once; {latest}, of rows that are a record's latest; {instance_value}, before the keys.
        """
        return sql.SQL(text).format(
            target=self.relation.identifier,
            keys=column_list(self.key_names),
            target_keys=column_list([INSTANCE] * bool(self.instance) + self.key_names),
            existing_keys=column_list(self.key_names, of="existing"),
            same=sql.SQL("{} and {}").format(
                equal(*([sql.Identifier(of, name) for name in self.key_names] for of in ("existing", "incoming"))),
                self._of_instance(),
            ),
            instance=self._of_instance(),
            instance_value=sql.SQL("{}, ").format(sql.Literal(self.instance)) if self.instance else sql.SQL(""),
            latest=sql.SQL("existing.is_latest" if self.keeps_versions else "true"),
            incoming=sql.SQL(
                "(select distinct on ({keys}) {keys}, slice, raw_data from pg_temp.etl_documents"
                " order by {keys}, etl_seq desc)"
            ).format(keys=column_list(self.key_names)),
            **more,
        )

    def _of_instance(self) -> sql.Composable:
        if not self.instance:
            return sql.SQL("true")
        return sql.SQL("{} = {}").format(sql.Identifier("existing", INSTANCE), sql.Literal(self.instance))
