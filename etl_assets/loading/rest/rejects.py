"""Records of a service that cannot be kept: counted all, and told one by one up to a bound."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from etl_assets.declare.document_reader import Document, Key, RejectedRecord
from etl_assets.declare.rest import RestTable
from etl_assets.loading.guards import SMALL_TABLE
from etl_assets.loading.load import RefusedRows
from etl_assets.readers.rest.redaction import Redaction
from etl_assets.warehouse.ledger import RejectedRow

KEPT_REJECTS = 1_000
"""Records of a load that cannot be kept and are told one by one; beyond them they are counted."""


class TooManyRejected(RefusedRows):
    """So many records of a list cannot be kept that nothing of it was loaded."""


class RejectedRecords:
    """The rejected records of one table in one load of one tenant."""

    def __init__(self, table: RestTable, instance: str) -> None:
        """None came yet; `instance` is empty where the service is one."""
        self._table, self._instance = table, instance
        self._records: list[RejectedRecord] = []

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Sequence[RejectedRecord]) -> None:
        """Count records; of those beyond the bound no more is held than the key."""
        room = max(KEPT_REJECTS - len(self._records), 0)
        self._records += records[:room]
        self._records += [replace(each, raw="") for each in records[room:]]

    def add_unreadable(self, documents: Sequence[Document], reasons: Mapping[int, str]) -> None:
        """Count documents that PostgreSQL could not read, by their position among `documents`."""
        redaction = Redaction(self._table)
        self.add(
            [
                RejectedRecord(
                    key=documents[position].key,
                    position=position,
                    field=None,
                    reason=reason,
                    raw=redaction.show(documents[position].raw),
                )
                for position, reason in reasons.items()
            ]
        )

    @property
    def keys(self) -> set[Key]:
        """Of those of which it could be read."""
        return {each.key for each in self._records if each.key is not None}

    @property
    def rows(self) -> list[RejectedRow]:
        """What the quarantine keeps of the first ones."""
        return [self._row(each) for each in self._records[:KEPT_REJECTS]]

    def check_share(self, where: str, *, kept: int, most: float) -> None:
        """Raise TooManyRejected where they are more than that share of all that came, `kept` of which can be kept."""
        number, read = len(self), kept + len(self)
        if number <= SMALL_TABLE or number <= most * read:
            return
        first = self._records[0]
        raise TooManyRejected(
            f"{where}: {number:,} of {read:,} records cannot be kept, more than the {most:.0%} that are"
            f" allowed, so nothing was loaded. The first: {first.field or 'the record'}: {first.reason}. It and"
            f" those behind it, up to {KEPT_REJECTS:,}, are in etl.rejected_row.",
            self.rows,
        )

    def _row(self, rejected: RejectedRecord) -> RejectedRow:
        """What the quarantine keeps of a record; one without an id is named by its position."""
        line, reason = None, rejected.reason
        record_key = f"{self._instance}|" if self._instance else None
        match rejected.key:
            case None:
                reason += f" (record {rejected.position + 1} of the list)"
            case (int() as number,) if not self._instance:
                line = number
            case key:
                record_key = "|".join([self._instance] * bool(self._instance) + list(map(str, key)))
        return RejectedRow(line=line, record_key=record_key, column=rejected.field, reason=reason, raw=rejected.raw)
