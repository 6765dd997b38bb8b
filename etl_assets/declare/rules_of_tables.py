"""The quality rules of a source's tables as such: not of what a row says, but of whether a table is here."""

from collections.abc import Mapping
from dataclasses import dataclass

from etl_assets.declare.rules import Rule


@dataclass(frozen=True, kw_only=True)
class TablesTakenIn(Rule):
    """Completeness of a copy: every table of the source is loaded. One finding a table that is left out.

    Whoever decides that a table is not wanted resolves its finding.
    """

    left_out: Mapping[str, str]
    """The tables that are not loaded, each with why: `CatalogueFile.left_out`."""
    severity: str = "warning"
    by_slice: bool = False

    def breaking_rows(self) -> str:
        """The tables that are left out."""
        return (
            "select\n"
            "    listed.name as row_key,\n"
            "    'table' as field,\n"
            "    null as value,\n"
            "    'left out: it ' || listed.why as message,\n"
            "    null::date as row_slice\n"
            "from unnest(%(names)s::text[], %(reasons)s::text[]) as listed (name, why)"
        )

    @property
    def values(self) -> Mapping[str, object]:
        """Their names and the reasons, in the same order."""
        return {"names": list(self.left_out), "reasons": list(self.left_out.values())}
