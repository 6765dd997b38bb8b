"""Held against its source: what a load found of a table, as checks."""

from collections import Counter
from dataclasses import dataclass, field, replace

from etl_assets.declare.database import Sums
from etl_assets.loading.database.plan import TablePlan
from etl_assets.loading.report import TableCheck
from etl_assets.warehouse.database.retained import Refused
from etl_assets.warehouse.database.rows import Gone


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What pieces of a table come to at the source and here."""

    rows_there: int = 0
    rows_here: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    """Columns that do not come to the same, with the least number of rows that differ by them."""
    turned: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, there: Sums, here: Sums) -> "Comparison":
        """Compare what one piece comes to."""
        broken = Counter(
            {
                name: max(abs(there.columns[name].values - found.values), 1)
                for name, found in here.columns.items()
                if (there.columns[name].values, there.columns[name].total) != (found.values, found.total)
            }
        )
        return cls(rows_there=there.rows, rows_here=here.rows, broken=broken, turned=Counter(there.turned))

    def __add__(self, other: "Comparison") -> "Comparison":
        return Comparison(
            rows_there=self.rows_there + other.rows_there,
            rows_here=self.rows_here + other.rows_here,
            broken=self.broken + other.broken,
            turned=self.turned + other.turned,
        )

    @property
    def rows_broken(self) -> int:
        """The least number of rows that are not as they are at the source."""
        return max([abs(self.rows_there - self.rows_here), *self.broken.values()])

    @property
    def differs(self) -> bool:
        """Whether any row is known not to be as it is at the source."""
        return self.rows_broken > 0


def matches_source(plan: TablePlan, found: Comparison) -> TableCheck:
    """Whether what was compared comes to the same on both sides."""
    rows = max(found.rows_there, found.rows_here)
    share = 1 - found.rows_broken / rows if rows else 1.0
    threshold = plan.copied.monitoring.data_quality_threshold
    description = (
        f"{found.rows_there:,} rows compared: their number and the sums of every column are those of the source."
    )
    if found.differs:
        description = (
            f"{found.rows_broken:,} rows at least are not as they are at the source: {found.rows_there:,} there,"
            f" {found.rows_here:,} here; columns that differ: {', '.join(sorted(found.broken)) or 'none'}."
            " They were read again, and differed still. The next load compares every row."
        )
    return TableCheck(
        name="matches_source",
        passed=not found.differs,
        is_error=found.differs and share < threshold,
        description=description,
        rows_checked=found.rows_there,
        rows_broken=found.rows_broken,
        metadata={
            "rows_at_source": found.rows_there,
            "rows_here": found.rows_here,
            "columns_that_differ": sorted(found.broken),
            "turned": dict(found.turned),
        },
    )


def loads_in_time(plan: TablePlan, seconds: float, rows_read: int) -> TableCheck:
    """Whether a load took no longer than it may."""
    most = plan.copied.monitoring.max_extraction_time_minutes
    passed = seconds <= most * 60
    return TableCheck(
        name="loads_in_time",
        passed=passed,
        is_error=False,
        description=f"It took {seconds:,.1f} seconds to load {rows_read:,} rows; {most} minutes are allowed.",
        metadata={"seconds": round(seconds, 3), "allowed_minutes": most},
    )


@dataclass(frozen=True, kw_only=True)
class Outlived:
    """What a load found of a table that outlives its source."""

    held: int = 0
    """Rows held now."""
    apart: int = 0
    """How many of them the source no longer has."""
    before: int = 0
    """How many it had lost before this load."""
    gone: Gone | None = None
    """Rows held that the source was just found to lack; None where nobody looked."""
    overwritten: int = 0
    """Rows that the source has changed, and that were kept as they were."""
    refused: Refused = field(default_factory=Refused)
    """Rows of the source that are not held, for others are by their keys."""
    newly_refused: int = 0
    """How many of them were found by this load."""

    def __add__(self, other: "Outlived") -> "Outlived":
        return replace(
            self,
            overwritten=self.overwritten + other.overwritten,
            newly_refused=self.newly_refused + other.newly_refused,
        )

    @property
    def purged(self) -> int:
        """Rows that the source has lost since the last load."""
        return max(self.apart - self.before, 0)


def outlives_source(found: Outlived) -> TableCheck:
    """Whether the source still has every row that it had at the last load, and has it as it was."""
    lost, apart, refused = found.purged, max(found.apart, 0), found.refused
    return TableCheck(
        name="outlives_source",
        passed=not (lost or found.overwritten or refused.rows),
        is_error=found.newly_refused > 0,
        description=" ".join(filter(None, (_of_lost(found), _of_overwritten(found), _of_refused(found)))),
        rows_checked=found.held,
        rows_broken=lost + found.overwritten + refused.rows,
        metadata={
            "rows_here": found.held,
            "rows_at_source": found.held - found.apart,
            "lost_by_source": apart,
            "lost_now": lost,
            "changed_now": found.overwritten,
            "refused": refused.rows,
            "refused_now": found.newly_refused,
        },
    )


def _of_lost(found: Outlived) -> str:
    if found.purged:
        gone = found.gone
        keys = f" (keys {gone.first_key} to {gone.last_key})" if gone and gone.first_key is not None else ""
        return (
            f"The source has lost {found.purged:,} rows since the last load. All are kept: {found.held:,} rows are"
            f" held, {found.held - found.apart:,} are at the source; it no longer has {found.apart:,}{keys}."
        )
    if found.apart > 0:
        return f"{found.held:,} rows are held; the source no longer has {found.apart:,} of them, as before."
    return f"{found.held:,} rows are held, and the source still has them all."


def _of_overwritten(found: Outlived) -> str:
    if not found.overwritten:
        return ""
    return (
        f"The source has changed {found.overwritten:,} rows since the last load: they are held as they are there now,"
        " and etl.row_overwritten keeps them as they were."
    )


def _of_refused(found: Outlived) -> str:
    refused = found.refused
    if not refused.rows:
        return ""
    keys = f" (keys {refused.first_key} to {refused.last_key})" if refused.first_key is not None else ""
    return (
        f"{refused.rows:,} rows of the source are not held{keys}, {found.newly_refused:,} of them found now: other rows"
        " are held by their keys, and those stay, for nothing is ever changed in this table. Either somebody has"
        " changed rows at the source, or it was emptied or set back and gives the same keys again."
        " etl.row_refused keeps what the source has."
    )
