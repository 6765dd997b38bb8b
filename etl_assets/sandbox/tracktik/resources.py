"""The service's lists: their fields, how they may be asked, and what each refuses.

Their names, and which are given on demand, are derived from the vendor's own description of the API (its OpenAPI files,
which are not ours to ship): a test holds each list against it, and none has a field that the vendor lacks. The real
service refuses a list without a filter for shifts and for fourteen others, which our notes do not name; here it is the
three that are read by window. What else is written here is what callers of it have found out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ADDRESS = _words("id addressLine1 city state postalCode country")
_BILLING = _words(
    "id position type billItem rate discountRate holidayGroup billBreaks holiday holidayRate holidayMultiplier"
    " overtimeRule"
)
_PAYROLL = _words(
    "id position payPositionRate positionHourlyRate holiday holidayRate holidayMultiplier holidayGroup payBreaks"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One list of the service."""

    path: str
    fields: tuple[str, ...]
    on_demand: frozenset[str] = frozenset()
    """Fields that are given only where `fields` names them."""
    moments: frozenset[str] = frozenset()
    """Fields that are dates or moments."""
    relations: Mapping[str, str] = field(default_factory=dict)
    """Field -> the resource that its id is of."""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field -> the fields of the object in it, of which only the id is given unless it is included."""
    window: str | None = None
    """The field by which a list must be narrowed: its `:between` takes whole days, a month of them at most."""
    refused: frozenset[str] = frozenset()
    """Parameters, and fields in filters, that are answered with 400 though they are described."""
    scopes: frozenset[str] = frozenset()
    only_active: bool = False
    """Whether it leaves out what is not ACTIVE unless `includeInactive` is true."""

    @property
    def needs_filter(self) -> bool:
        """Whether a list without any filter is refused."""
        return self.window is not None


_CHANGED = frozenset({"createdOn", "updatedOn"})
_SHIFT_ON_DEMAND = _CHANGED | frozenset(
    _words(
        "customId startsOn endsOn plannedDurationHours clockedHours approvedHours billableHours payableHours"
        " overtimeHours holidayHours payRateLevel payRate billRate paidAmount billedAmount modifiedOn lastModified"
    )
)

_ALL = (
    Resource(
        path="regions",
        fields=_words("id customId name company parentRegion timeZone prefix createdOn updatedOn"),
        on_demand=_CHANGED | {"timeZone", "prefix"},
        moments=_CHANGED,
        relations={"parentRegion": "regions"},
        only_active=True,
    ),
    Resource(
        path="clients",
        fields=_words(
            "id customId name company parentClient type region status closedDate timeZone address createdOn updatedOn"
        ),
        on_demand=_CHANGED | {"name", "timeZone"},
        moments=_CHANGED | {"closedDate"},
        relations={"parentClient": "clients", "region": "regions"},
        parts={"address": _ADDRESS},
        only_active=True,
    ),
    Resource(
        path="employees",
        fields=_words(
            "id customId firstName lastName name jobTitle region primaryPhone secondaryPhone email username status"
            " gender birthday address tags language employmentProfile createdOn updatedOn"
        ),
        on_demand=_CHANGED | {"username", "gender", "birthday", "tags", "language"},
        moments=_CHANGED | {"birthday"},
        relations={"region": "regions", "employmentProfile": "employment-profiles"},
        parts={"address": _ADDRESS},
        only_active=True,
    ),
    Resource(
        path="employment-profiles",
        fields=_words(
            "id employee employeeType employmentDate payRateType overtimeExempt overtimeRule terminationDate"
        ),
        moments=frozenset({"employmentDate", "terminationDate"}),
        relations={"employee": "employees", "overtimeRule": "overtime-rules"},
    ),
    Resource(
        path="back-office-settings",
        fields=_words("id region scheduleHolidayGroup payrollOvertimeRule payrollOvertimeDayOfWeek"),
        relations={
            "region": "regions",
            "scheduleHolidayGroup": "holiday-groups",
            "payrollOvertimeRule": "overtime-rules",
        },
    ),
    Resource(
        path="positions",
        fields=_words(
            "id customId name description status account contract nonBillable beginDate endDate breakRule"
            " billingSetting payrollSetting taxClass createdOn updatedOn"
        ),
        on_demand=_CHANGED,
        moments=_CHANGED | {"beginDate", "endDate"},
        relations={"account": "clients", "contract": "contracts"},
        parts={"billingSetting": _BILLING, "payrollSetting": _PAYROLL},
        only_active=True,
    ),
    Resource(
        path="contracts",
        fields=_words(
            "id customId name account billingFrequency billingFrequencyType billingStartDate"
            " semiMonthlyFirstReferenceDay semiMonthlySecondReferenceDay invoiceDayToAdd paymentTerms"
            " serviceStartDate serviceEndDate status createdOn updatedOn"
        ),
        on_demand=_CHANGED,
        moments=_CHANGED | {"billingStartDate", "serviceStartDate", "serviceEndDate"},
        relations={"account": "clients"},
        only_active=True,
    ),
    Resource(
        path="overtime-rules",
        fields=_words("id name periodLength ruleType method rules"),
    ),
    Resource(
        path="holiday-groups",
        fields=_words("id name region isDefault"),
        relations={"region": "regions"},
    ),
    Resource(
        path="payroll-codes",
        fields=_words("id code name multiplier payable billable impactsOvertime"),
    ),
    Resource(
        path="shifts",
        fields=_words(
            "id customId status billable payable paidTimeOff vacant onShiftBoard startDateTime endDateTime startsOn"
            " endsOn timeZone breakInMinutes published notified acknowledged viewed locked employee vendor position"
            " summary attendanceStatus plannedDurationHours plannedPayableHours clockedHours approvedHours"
            " billableHours payableHours overtimeHours holidayHours payRateLevel payRate billRate paidAmount"
            " billedAmount payCodeLabel modifiedOn lastModified createdOn createdBy updatedOn updatedBy"
        ),
        on_demand=_SHIFT_ON_DEMAND,
        moments=_CHANGED | {"startDateTime", "endDateTime", "modifiedOn", "lastModified"},
        relations={
            "employee": "employees",
            "position": "positions",
            "summary": "shift-summaries",
            "payCodeLabel": "payroll-codes",
        },
        window="startDateTime",
        refused=frozenset({"sort", "include", "account"}),
        scopes=frozenset({"IS_CURRENT", "IN_THE_FUTURE"}),
    ),
    Resource(
        path="work-sessions",
        fields=_words(
            "id shift employee position account startedOn endedOn durationHours clockInMethod clockOutMethod status"
            " createdOn updatedOn"
        ),
        on_demand=_CHANGED | {"durationHours"},
        moments=_CHANGED | {"startedOn", "endedOn"},
        relations={"shift": "shifts", "employee": "employees", "position": "positions", "account": "clients"},
        window="startedOn",
    ),
    Resource(
        path="shift-summaries",
        fields=_words(
            "id shift account employee region contract position periodDate durationPlanned durationActual payTotal"
            " payBaseRate payEffectiveRate payOvertimeImpact payHolidayImpact payPremiumImpact payHours"
            " payRegularHours payOvertimeHours payHolidayHours payPremiumHours billTotal billBaseRate"
            " billEffectiveRate billOvertimeImpact billHolidayImpact billPremiumImpact billHours"
            " billOvertimeHours billHolidayHours billPremiumHours billDiscountImpact billDiscountHours timeZone"
        ),
        moments=frozenset({"periodDate"}),
        relations={
            "shift": "shifts",
            "account": "clients",
            "employee": "employees",
            "region": "regions",
            "contract": "contracts",
            "position": "positions",
        },
        window="periodDate",
    ),
)
RESOURCES: Mapping[str, Resource] = MappingProxyType({one.path: one for one in _ALL})
