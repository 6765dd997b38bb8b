"""A shift and its clock-ins, as the company knows them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from etl_assets.sandbox.tracktik.clock import hours_between
from etl_assets.sandbox.tracktik.money import NO_HOURS, NO_MONEY


@dataclass(slots=True)
class Session:
    """One clock-in; it is open while there is no end."""

    start: datetime
    end: datetime | None
    clocked_in: str = "KIOSK"
    clocked_out: str | None = "KIOSK"

    @property
    def hours(self) -> Decimal | None:
        """Real hours; none while it is open."""
        return None if self.end is None else hours_between(self.start, self.end)


@dataclass(slots=True)
class Shift:
    """One shift: who should stand where and when, what came of it, and what was said of its money."""

    id: int
    position: int
    employee: int | None
    start: datetime
    end: datetime
    """By the clock of the site, whose zone both carry."""
    created: datetime
    modified: datetime
    break_minutes: int = 0
    status: str = "ACTIVE"
    billable: bool = True
    payable: bool = True
    paid_time_off: bool = False
    on_shift_board: bool = False
    missed: bool = False
    approved: Decimal | None = None
    """Hours; none until somebody has approved them."""
    holiday_hours: Decimal | None = None
    clocked_hours: Decimal | None = None
    """What somebody has written down where nobody clocked in."""
    bill_rate: Decimal | None = None
    pay_rate: Decimal | None = None
    """Rates of this shift alone."""
    billable_hours: Decimal | None = None
    payable_hours: Decimal | None = None
    """Hours that somebody has put right by hand."""
    says_planned: bool = True
    says_hours: bool = True
    says_rates: bool = True
    """Whether the service tells the planned hours, the billable and payable hours, and the rates."""
    bill_premium: Decimal = NO_MONEY
    pay_premium: Decimal = NO_MONEY
    """Only a summary tells these."""
    sessions: list[Session] = field(default_factory=list)

    @property
    def day(self) -> date:
        """The site's own date on which it begins."""
        return self.start.date()

    @property
    def zone(self) -> str:
        """The IANA name of the site's zone."""
        return str(self.start.tzinfo)

    @property
    def vacant(self) -> bool:
        """Whether nobody is to stand there."""
        return self.employee is None

    @property
    def works(self) -> bool:
        """Whether it can have hours at all: it is not cancelled, and somebody has it."""
        return self.status == "ACTIVE" and self.employee is not None

    @property
    def planned(self) -> Decimal:
        """Real hours from start to end."""
        return hours_between(self.start, self.end)

    @property
    def clocked(self) -> Decimal | None:
        """Hours of its closed sessions, else what was written down; none where there is neither."""
        closed = [session.hours for session in self.sessions if session.hours is not None]
        return sum(closed, NO_HOURS) if closed else self.clocked_hours
