"""How the staging table of files is laid out."""

from etl_assets.declare.files import FileTable
from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.tables import Index, TableLayout

BOOKKEEPING = {
    "feed": "text not null",
    "file_name": "text not null",
    "load_datetime": "timestamptz not null default now()",
    "first_load_datetime": "timestamptz not null default now()",
    "last_update_datetime": "timestamptz not null default now()",
    BATCH_COLUMN: "uuid not null",
}
"""What every row carries besides its data: where it came from, and when."""


def file_layout(table: FileTable) -> TableLayout:
    """Typed columns as declared, and an index by date and feed: a file replaces what its feed said of its dates."""
    return TableLayout(
        columns=table.columns,
        bookkeeping=BOOKKEEPING,
        key=table.keys,
        indexes=[Index(columns=(table.slice_by, "feed")), *(Index(columns=columns) for columns in table.indexes)],
    )
