"""Post-load verification of a table against its source, reported as checks."""

from collections import Counter
from dataclasses import dataclass, field, replace

import psycopg

from etl_assets.declare.database_reader import Sums
from etl_assets.loading.database.changes import is_small
from etl_assets.loading.database.plan import ExtractMode, TablePlan
from etl_assets.loading.report import TableCheck
from etl_assets.warehouse.database.retained import KeyConflicts
from etl_assets.warehouse.database.rows import DeletedAtSource
from etl_assets.warehouse.ledger import Counts
from etl_assets.warehouse.results import has_passed_since

MATCHES = "matches_source"
"""The check that a table's rows are those of its source."""
CLASSIFIED = "everything_is_classified"
"""The check that somebody has said of each column of the source what may be done with it."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Row counts and column sums of a table, at the source and in staging."""

    rows_at_source: int = 0
    rows_in_staging: int = 0
    differing_columns: Counter[str] = field(default_factory=Counter)
    """Columns whose sums differ, with the least number of rows that differ by them."""
    converted: Counter[str] = field(default_factory=Counter)

    @classmethod
    def between(cls, source: Sums, staging: Sums) -> "Comparison":
        """Compare the sums of one row range."""
        differing_columns = Counter(
            {
                name: max(abs(source.columns[name].values - found.values), 1)
                for name, found in staging.columns.items()
                if name in source.columns  # not so of what is redacted
                and (source.columns[name].values, source.columns[name].total) != (found.values, found.total)
            }
        )
        return cls(
            rows_at_source=source.rows,
            rows_in_staging=staging.rows,
            differing_columns=differing_columns,
            converted=Counter(source.converted),
        )

    def __add__(self, other: "Comparison") -> "Comparison":
        return Comparison(
            rows_at_source=self.rows_at_source + other.rows_at_source,
            rows_in_staging=self.rows_in_staging + other.rows_in_staging,
            differing_columns=self.differing_columns + other.differing_columns,
            converted=self.converted + other.converted,
        )

    @property
    def rows_broken(self) -> int:
        """The least number of rows that are not as they are at the source."""
        return max([abs(self.rows_at_source - self.rows_in_staging), *self.differing_columns.values()])

    @property
    def differs(self) -> bool:
        """Whether any row is known not to be as it is at the source."""
        return self.rows_broken > 0


def is_verified(connection: psycopg.Connection, plan: TablePlan, counts: Counts, *, rows_held: int) -> bool:
    """Whether a load has written nothing, and what is held matched the source when it was last written.

    Rows are read once more that were changed shortly before the last load, or appended last. A full reconciliation
    verifies all the same: somebody may have changed rows in staging.
    """
    if plan.state is None or plan.full_compare or plan.mode is ExtractMode.FULL_COMPARE:
        return False
    if counts.changed or counts.rows_rejected:
        return False
    return has_passed_since(
        connection,
        plan.relation,
        MATCHES,
        changed_by=plan.state.changed_by,
        rows=rows_held if is_small(plan, rows_held) and not plan.table.retain_deleted else None,
    )


def matches_source(plan: TablePlan, found: Comparison) -> TableCheck:
    """Check: row counts and column sums are the same at the source and in staging."""
    rows = max(found.rows_at_source, found.rows_in_staging)
    share = 1 - found.rows_broken / rows if rows else 1.0
    threshold = plan.table.monitoring.data_quality_threshold
    description = (
        f"{found.rows_at_source:,} rows compared: their number and the sums of every column are those of the source."
    )
    if found.differs:
        description = (
            f"{found.rows_broken:,} rows at least are not as they are at the source: {found.rows_at_source:,} there,"
            f" {found.rows_in_staging:,} here;"
            f" columns that differ: {', '.join(sorted(found.differing_columns)) or 'none'}."
            " They were read again, and differed still. The next load compares every row."
        )
    return TableCheck(
        name=MATCHES,
        passed=not found.differs,
        is_error=found.differs and share < threshold,
        description=description,
        rows_checked=found.rows_at_source,
        rows_broken=found.rows_broken,
        metadata={
            "rows_at_source": found.rows_at_source,
            "rows_here": found.rows_in_staging,
            "columns_that_differ": sorted(found.differing_columns),
            "turned": dict(found.converted),
        },
    )


def checks_of_columns(plan: TablePlan) -> list[TableCheck]:
    """Check: the source has no column that nobody has classified; such a column is not loaded.

    None of a source whose columns are not classified.
    """
    if plan.table.classes is None:
        return []
    description = "What may be done with it is said of every column."
    if plan.unclassified:
        description = (
            f"{', '.join(plan.unclassified)} of {plan.source.title} is not loaded, for nobody has said what may be done"
            f" with it. Say so in etl_assets/sources/{plan.source.name}/privacy.yaml; then: etl run {plan.source.name}"
            f" {plan.table.name}"
        )
    found = TableCheck(
        name=CLASSIFIED,
        passed=not plan.unclassified,
        is_error=False,
        description=description,
        rows_checked=0,
        rows_broken=0,
        metadata={"columns": list(plan.unclassified)},
    )
    return [found]


def loads_in_time(plan: TablePlan, seconds: float, rows_read: int) -> TableCheck:
    """Check: the load took no longer than it may."""
    most = plan.table.monitoring.max_extraction_time_minutes
    passed = seconds <= most * 60
    return TableCheck(
        name="loads_in_time",
        passed=passed,
        is_error=False,
        description=f"It took {seconds:,.1f} seconds to load {rows_read:,} rows; {most} minutes are allowed.",
        metadata={"seconds": round(seconds, 3), "allowed_minutes": most},
    )


@dataclass(frozen=True, kw_only=True)
class RetainedRows:
    """What a load found of a retained table: rows deleted or overwritten at the source, and key conflicts."""

    rows_held: int = 0
    """Rows held now."""
    rows_retained: int = 0
    """How many of them the source no longer has."""
    retained_before: int = 0
    """How many it had lost before this load."""
    deleted: DeletedAtSource | None = None
    """The rows that were just found to be deleted at the source; None where nobody looked."""
    overwritten: int = 0
    """Rows that the source has changed, whose old values were saved."""
    conflicts: KeyConflicts = field(default_factory=KeyConflicts)
    """Rows of the source that are not loaded, for other rows are held by their keys."""
    new_conflicts: int = 0
    """How many of them were found by this load."""

    def __add__(self, other: "RetainedRows") -> "RetainedRows":
        return replace(
            self,
            overwritten=self.overwritten + other.overwritten,
            new_conflicts=self.new_conflicts + other.new_conflicts,
        )

    @property
    def newly_deleted(self) -> int:
        """Rows that the source has lost since the last load."""
        return max(self.rows_retained - self.retained_before, 0)


def retains_deleted(found: RetainedRows) -> TableCheck:
    """Check: the source still has every row that it had at the last load, and has it as it was."""
    newly_deleted, rows_retained, conflicts = found.newly_deleted, max(found.rows_retained, 0), found.conflicts
    return TableCheck(
        name="outlives_source",
        passed=not (newly_deleted or found.overwritten or conflicts.rows),
        is_error=found.new_conflicts > 0,
        description=" ".join(
            filter(None, (_describe_deleted(found), _describe_overwritten(found), _describe_conflicts(found)))
        ),
        rows_checked=found.rows_held,
        rows_broken=newly_deleted + found.overwritten + conflicts.rows,
        metadata={
            "rows_here": found.rows_held,
            "rows_at_source": found.rows_held - found.rows_retained,
            "lost_by_source": rows_retained,
            "lost_now": newly_deleted,
            "changed_now": found.overwritten,
            "refused": conflicts.rows,
            "refused_now": found.new_conflicts,
        },
    )


def _describe_deleted(found: RetainedRows) -> str:
    if found.newly_deleted:
        deleted = found.deleted
        keys = f" (keys {deleted.first_key} to {deleted.last_key})" if deleted and deleted.first_key is not None else ""
        return (
            f"The source has lost {found.newly_deleted:,} rows since the last load. All are kept:"
            f" {found.rows_held:,} rows are held, {found.rows_held - found.rows_retained:,} are at the source;"
            f" it no longer has {found.rows_retained:,}{keys}."
        )
    if found.rows_retained > 0:
        return (
            f"{found.rows_held:,} rows are held; the source no longer has {found.rows_retained:,} of them, as before."
        )
    return f"{found.rows_held:,} rows are held, and the source still has them all."


def _describe_overwritten(found: RetainedRows) -> str:
    if not found.overwritten:
        return ""
    return (
        f"The source has changed {found.overwritten:,} rows since the last load: they are held as they are there now,"
        " and etl.row_overwritten keeps them as they were."
    )


def _describe_conflicts(found: RetainedRows) -> str:
    conflicts = found.conflicts
    if not conflicts.rows:
        return ""
    keys = f" (keys {conflicts.first_key} to {conflicts.last_key})" if conflicts.first_key is not None else ""
    return (
        f"{conflicts.rows:,} rows of the source are not held{keys}, {found.new_conflicts:,} of them found now:"
        " other rows are held by their keys, and those stay, for nothing is ever changed in this table. Either"
        " somebody has changed rows at the source, or it was emptied or set back and gives the same keys again."
        " etl.row_refused keeps what the source has."
    )
