"""TrackTik tables: which endpoints are read, and how.

What happens (shifts, clock-ins, sums of shifts) is read by billing period: of the date filters of these lists the API
honours `:between` alone, over a month at most, and ignores `:gte` and `:lte` without a word. The rest is small enough
to be read whole. Inactive records are asked for everywhere: they are left out by default, and would look deleted.

Fields that the API gives on demand come only when named; `fields` then gives exactly what it names, so all are named.
So are those of employment profiles, of which the rest (wages, grievances) is none of our business.
"""

from datetime import date, timedelta
from functools import partial

from etl_assets.declare.dates import Calendar
from etl_assets.declare.endpoints import Endpoint, Offset, Records, Single
from etl_assets.declare.rest import RestTable, Window, fields
from etl_assets.declare.tables import Full

listed = partial(
    Endpoint,
    envelope=Records(at="data"),
    paging=Offset(limit="limit", offset="offset", count="meta.count", echo="meta.offset"),
    lookup=Single(at="data"),
)
"""Every list of TrackTik: `{"meta": {"count": ..., "offset": ...}, "data": [...]}`, and a record `{"data": {...}}`."""
CALENDAR = Calendar(kind="biweekly", anchor=date(2024, 12, 27), first_year=2020, last_year=2034)
"""Fourteen days, Friday to Thursday. Another kind, or other years, is said here and nowhere else."""

ALL_RECORDS = {"includeInactive": "true"}


def named(names: str, **more: str) -> dict[str, str]:
    """Parameters that ask for all records, and of each for these fields alone."""
    return {**ALL_RECORDS, "fields": ",".join(names.split()), **more}


TABLES = (
    RestTable(
        name="regions",
        description="Regions, each with the one above it.",
        key="id",
        load=Full(),
        endpoint=listed(
            path="regions",
            parameters=named("id customId name company parentRegion timeZone prefix createdOn updatedOn"),
        ),
        fields=fields(text="name timeZone", bigint="parentRegion"),
    ),
    RestTable(
        name="clients",
        description="Clients and their sites.",
        key="id",
        load=Full(),
        endpoint=listed(
            path="clients",
            parameters=named(
                "id customId name company parentClient type region status closedDate timeZone address createdOn"
                " updatedOn",
                include="address",
            ),
        ),
        fields=fields(text="name customId type status timeZone", bigint="region parentClient", date="closedDate"),
    ),
    RestTable(
        name="employees",
        description="Guards and staff, those who have left too.",
        key="id",
        load=Full(),
        endpoint=listed(
            path="employees",
            parameters=named(
                "id customId firstName lastName name jobTitle region primaryPhone email status createdOn updatedOn"
            ),
        ),
        fields=fields(text="firstName lastName customId status", bigint="region"),
        personal=("first_name", "last_name"),
    ),
    RestTable(
        name="employment_profiles",
        description="Whether an employee's overtime is paid, and by which rule.",
        key="id",
        load=Full(),
        endpoint=listed(path="employment-profiles", parameters=named("id employee overtimeExempt overtimeRule")),
        fields=fields(bigint="employee overtimeRule", boolean="overtimeExempt"),
    ),
    RestTable(
        name="back_office_settings",
        description="By which rule a region pays overtime where an employee has none, and when its work week begins.",
        key="id",
        load=Full(),
        endpoint=listed(
            path="back-office-settings", parameters=named("id region payrollOvertimeRule payrollOvertimeDayOfWeek")
        ),
        fields=fields(text="payrollOvertimeDayOfWeek", bigint="region payrollOvertimeRule"),
    ),
    RestTable(
        name="positions",
        description="Posts at a client's site, with how each is billed and paid.",
        key="id",
        load=Full(),
        endpoint=listed(
            path="positions",
            parameters=named(
                "id customId name description status account contract nonBillable beginDate endDate billingSetting"
                " payrollSetting createdOn updatedOn",
                include="billingSetting,payrollSetting",
            ),
        ),
        fields=fields(
            text="name status",
            bigint="account billingSetting.overtimeRule",
            boolean="nonBillable",
            numeric="billingSetting.rate billingSetting.discountRate",
        ),
    ),
    RestTable(
        name="contracts",
        description="What was agreed with a client, and how often it is billed.",
        key="id",
        load=Full(),
        endpoint=listed(
            path="contracts",
            parameters=named(
                "id customId name account billingFrequency billingFrequencyType billingStartDate paymentTerms"
                " serviceStartDate serviceEndDate status createdOn updatedOn"
            ),
        ),
        fields=fields(text="billingFrequency status", bigint="account"),
    ),
    RestTable(
        name="overtime_rules",
        description="From how many hours on, and by how much more, overtime is paid or billed.",
        key="id",
        load=Full(),
        endpoint=listed(path="overtime-rules", parameters=ALL_RECORDS),
        fields=fields(text="name periodLength ruleType method", jsonb="rules"),
    ),
    RestTable(
        name="holiday_groups",
        description="Sets of holidays.",
        key="id",
        load=Full(),
        endpoint=listed(path="holiday-groups", parameters=ALL_RECORDS),
        fields=fields(text="name"),
    ),
    RestTable(
        name="payroll_codes",
        description="Codes under which hours are paid.",
        key="id",
        load=Full(),
        endpoint=listed(path="payroll-codes", parameters=ALL_RECORDS),
        fields=fields(text="code name"),
    ),
    RestTable(
        name="shifts",
        description="Who is to be where from when to when, and the hours that came of it.",
        key="id",
        load=Window(slice_by="startDateTime"),
        endpoint=listed(
            path="shifts",
            parameters=named(
                "id customId status billable payable paidTimeOff vacant onShiftBoard startDateTime endDateTime startsOn"
                " endsOn timeZone breakInMinutes published notified acknowledged viewed locked employee vendor position"
                " summary attendanceStatus plannedDurationHours plannedPayableHours clockedHours approvedHours"
                " billableHours payableHours overtimeHours holidayHours payRateLevel payRate billRate paidAmount"
                " billedAmount payCodeLabel modifiedOn createdOn createdBy updatedOn updatedBy"
            ),
            window="startDateTime:between",
        ),
        fields=fields(
            text="status attendanceStatus timeZone",
            timestamptz="startDateTime endDateTime",
            bigint="employee position startsOn endsOn",
            numeric="plannedDurationHours clockedHours approvedHours billableHours payableHours billRate",
            boolean="vacant billable paidTimeOff",
        ),
    ),
    RestTable(
        name="work_sessions",
        description="Clock-ins and clock-outs. One may begin the day before its shift.",
        key="id",
        load=Window(slice_by="startedOn", allows_unix_time=True, keeps_pad=True),
        endpoint=listed(
            path="work-sessions",
            parameters=named(
                "id shift employee position account startedOn endedOn durationHours clockInMethod clockOutMethod status"
                " createdOn updatedOn"
            ),
            window="startedOn:between",
        ),
        fields=fields(text="status", bigint="shift employee", timestamptz="startedOn endedOn", numeric="durationHours"),
    ),
    RestTable(
        name="shift_summaries",
        description="What TrackTik itself pays and bills for a shift.",
        key="id",
        # A sum lies under the first day of its shift's work week, which may be a week before the shift.
        load=Window(slice_by="periodDate", pad=timedelta(days=7), keeps_pad=True),
        endpoint=listed(path="shift-summaries", parameters=ALL_RECORDS, window="periodDate:between"),
        fields=fields(
            bigint="shift",
            date="periodDate",
            numeric="billHours billBaseRate billTotal billOvertimeImpact billHolidayImpact billPremiumImpact"
            " billDiscountImpact",
        ),
    ),
)
