"""What must be true of TrackTik's records. A finding never stops the good rows beside it.

The statuses are the API's own (TrackTik's OpenAPI file), and not those of the system that this one follows, whose list
declared every real shift invalid. Zero is a value: only what is null or blank is missing.
"""

from etl_assets.declare.rules import Finds, InOrder, OneOf, Required, RowCheck
from etl_assets.declare.rules_between import NoOverlap, RefersTo, SameAsParent, Unique

SHIFT_STATUSES = ("ACTIVE", "CANCELLED")
ATTENDANCE_STATUSES = (
    "SCHEDULED", "LATE", "IN_PROGRESS", "ON_BREAK", "MISSED", "COMPLETED", "OVER_CLOCK", "EARLY_CLOCK_OUT", "PTO",
)  # fmt: skip
EMPLOYEE_STATUSES = ("ACTIVE", "INACTIVE", "TERMINATED", "BANNED")
CLIENT_STATUSES = ("ACTIVE", "INACTIVE", "CLOSED")
MAX_SESSION_HOURS = 24
WORK_WEEK_BEGINS_ON = "FRIDAY"
ROUNDING_TOLERANCE = 0.01
HOURS_OF_SHIFT = "parent.raw_data ->> 'billableHours'"
PARTS_OF_BILL = (
    "round(bill_base_rate * bill_hours, 2) + coalesce(bill_overtime_impact, 0) + coalesce(bill_holiday_impact, 0)"
    " + coalesce(bill_premium_impact, 0) - coalesce(bill_discount_impact, 0)"
)

RULES = (
    Required(
        table="shifts",
        name="MissingRequiredFields",
        columns=("status", "start_date_time", "end_date_time", "position", "time_zone"),
        why="Without a position nobody knows whom to bill, without its times no hours can be counted.",
    ),
    OneOf(
        table="shifts",
        name="InvalidStatus",
        column="status",
        known=SHIFT_STATUSES,
        why="A status that we do not know may mean that the shift is not to be billed.",
    ),
    OneOf(
        table="shifts",
        name="InvalidAttendanceStatus",
        column="attendance_status",
        known=ATTENDANCE_STATUSES,
        why="What became of the shift is counted by it: missed, late, on leave.",
    ),
    InOrder(
        table="shifts",
        name="InvalidTimeSequence",
        pairs=(("start_date_time", "end_date_time"),),
        blocks_above=0.05,
        why="A shift that ends before it begins has negative hours; when one in twenty does, the clocks of the source"
        " are wrong and every total with them.",
    ),
    RowCheck(
        table="shifts",
        name="TimesDisagree",
        exception_type="InvalidSequence",
        column="start_date_time",
        field="startDateTime",
        where="starts_on between 0 and 32503680000",
        holds="start_date_time = to_timestamp(starts_on)",
        message="startDateTime is {start_date_time} and startsOn {to_timestamp(starts_on)}",
        why="Both say the same moment, one with the site's offset and one in UTC. Where they differ, the offset is"
        " wrong or missing, and the shift may be counted in the wrong day or billing period.",
    ),
    Finds(
        table="shifts",
        name="HoursOutOfRange",
        exception_type="OutOfRange",
        query="""
            select
                row_key,
                field,
                hours::text as value,
                field || ' are ' || hours || ' of ' || coalesce(round(lasts, 2)::text, '?')
                || ' hours that the shift lasts' as message,
                row_slice
            from (
                select
                    *,
                    extract(epoch from end_date_time - start_date_time) / 3600 as lasts
                from looked_at
            ) as shift
            cross join lateral (
                values ('scheduled hours', planned_duration_hours), ('clocked hours', clocked_hours),
                ('approved hours', approved_hours), ('billable hours', billable_hours),
                ('payable hours', payable_hours)
            ) as said (field, hours)
            where hours < 0 or (field = 'scheduled hours' and hours > lasts + %(tolerance)s)
        """,
        parameters={"tolerance": ROUNDING_TOLERANCE},
        why="Hours are never negative, and nobody can be scheduled for longer than the shift lasts. There is no bound"
        " of 24: a live-in post runs for days, and the day the clocks go back has 25 hours.",
    ),
    RowCheck(
        table="shifts",
        name="ApprovedFarFromClocked",
        exception_type="OutOfRange",
        severity="warning",
        column="approved_hours",
        field="approvedHours",
        where="status = 'ACTIVE' and paid_time_off is not true",
        holds="abs(approved_hours - clocked_hours) <= %(hours)s",
        parameters={"hours": 4},
        message="approved are {approved_hours} hours and clocked {clocked_hours}",
        why="What is approved is billed. Four hours beside the clock is more than a forgotten clock-out.",
    ),
    NoOverlap(
        table="shifts",
        name="OverlappingShifts",
        severity="warning",
        starts="start_date_time",
        ends="end_date_time",
        resource=("employee",),
        where="status = 'ACTIVE'",
        message="employee {later.employee} is still on shift {earlier.row_key} until {earlier.end_date_time}",
        why="Nobody guards two posts at once; both would be paid, and the overtime of the week is wrong.",
    ),
    RefersTo(
        table="shifts",
        name="UnknownPosition",
        column="position",
        relation="tracktik_staging.positions",
        why="The shift is kept under a position that nobody knows yet, and its client is unknown with it.",
    ),
    RefersTo(
        table="shifts",
        name="UnknownEmployee",
        column="employee",
        relation="tracktik_staging.employees",
        why="The shift is kept under an employee who is not in the list; the name comes when the list has it.",
    ),
    Finds(
        table="shifts",
        name="OutsideCalendar",
        exception_type="OutOfRange",
        by_slice=False,
        query="""
            select
                row_key,
                'startDateTime' as field,
                row_slice::text as value,
                row_slice || ' is in no billing period' as message,
                row_slice
            from looked_at
            where not exists (
                select from tracktik.billing_periods where row_slice between start_date and end_date
            )
        """,
        why="It is in no fact, for facts are partitioned by period. Its date is wrong, or the calendar too short.",
    ),
    RowCheck(
        table="shifts",
        name="VanishedShifts",
        severity="warning",
        by_slice=False,
        column="id",
        holds="vanished_at is null",
        message="the list no longer gives it since {vanished_at::date}",
        why="A list leaves out what somebody may not see any more, so this is no deletion: the shift is still counted.",
    ),
    SameAsParent(
        table="shift_summaries",
        name="SummaryBehindShift",
        severity="warning",
        by_slice=False,
        column="bill_hours",
        field="billHours",
        foreign_key="shift",
        relation="tracktik_staging.shifts",
        same_as=f"case when pg_input_is_valid({HOURS_OF_SHIFT}, 'numeric') then ({HOURS_OF_SHIFT})::numeric end",
        message=f"the summary bills {{looked_at.bill_hours}} hours and the shift {{{HOURS_OF_SHIFT}}}",
        why="TrackTik sums a shift up some time after it was changed. Until then we compute what is billed ourselves.",
    ),
    RowCheck(
        table="shift_summaries",
        name="SummaryDoesNotAddUp",
        by_slice=False,
        column="bill_total",
        field="billTotal",
        holds=f"abs(bill_total - ({PARTS_OF_BILL})) <= %(tolerance)s",
        parameters={"tolerance": ROUNDING_TOLERANCE},
        message=f"billTotal is {{bill_total}}, its parts make {{round({PARTS_OF_BILL}, 2)}}",
        why="The total of an invoice line is its base and its impacts; where it is not, a component is missing.",
    ),
    InOrder(
        table="work_sessions",
        name="InvalidTimeSequence",
        pairs=(("started_on", "ended_on"),),
        why="A session that ends before it begins has negative hours.",
    ),
    RowCheck(
        table="work_sessions",
        name="SessionNeverEnded",
        exception_type="OutOfRange",
        severity="warning",
        column="ended_on",
        field="endedOn",
        value="coalesce(ended_on::text, '')",
        holds="coalesce(ended_on, now()) - started_on <= make_interval(hours => %(hours)s)",
        parameters={"hours": MAX_SESSION_HOURS},
        message="began at {started_on} and lasts longer than {%(hours)s} hours",
        why="Somebody forgot to clock out; the clocked hours of the shift say nothing.",
    ),
    RefersTo(
        table="work_sessions",
        name="UnknownShift",
        column="shift",
        relation="tracktik_staging.shifts",
        why="Its hours are counted nowhere until the shift has come.",
    ),
    Required(
        table="employees",
        name="MissingRequiredFields",
        columns=("first_name", "last_name", "status"),
        why="A report of overtime without a name cannot be followed up.",
    ),
    OneOf(
        table="employees",
        name="InvalidStatus",
        column="status",
        known=EMPLOYEE_STATUSES,
        why="Who is employed is told by it.",
    ),
    RefersTo(
        table="employees",
        name="UnknownRegion",
        column="region",
        relation="tracktik_staging.regions",
        why="The hours of this employee fall out of every regional total.",
    ),
    Unique(
        table="employees",
        name="DuplicateCustomId",
        severity="warning",
        by_slice=False,
        column="custom_id",
        field="customId",
        where="custom_id <> '' and status = 'ACTIVE'",
        message="{custom_id} is the number of {times} employees",
        why="Payroll knows people by this number; two active people under one are paid as one.",
    ),
    Required(
        table="clients",
        name="MissingRequiredFields",
        columns=("name", "status", "region"),
        why="What a client is billed is summed by region.",
    ),
    OneOf(
        table="clients",
        name="InvalidStatus",
        column="status",
        known=CLIENT_STATUSES,
        why="Who is still a client is told by it.",
    ),
    RefersTo(
        table="clients",
        name="UnknownRegion",
        column="region",
        relation="tracktik_staging.regions",
        why="What this client is billed falls out of every regional total.",
    ),
    RefersTo(
        table="clients",
        name="UnknownTimeZone",
        severity="error",
        by_slice=False,
        column="time_zone",
        field="timeZone",
        relation="pg_catalog.pg_timezone_names",
        key="name",
        message="{time_zone} is no IANA time zone",
        why="The site's own day is told by it.",
    ),
    Required(
        table="positions",
        name="MissingRequiredFields",
        columns=("name", "account"),
        why="Without an account nobody knows whom to bill.",
    ),
    RefersTo(
        table="positions",
        name="UnknownClient",
        column="account",
        relation="tracktik_staging.clients",
        why="The shifts of this position are billed to nobody.",
    ),
    RefersTo(
        table="positions",
        name="UnknownOvertimeRule",
        column="billing_setting_overtime_rule",
        field="billingSetting.overtimeRule",
        relation="tracktik_staging.overtime_rules",
        why="What overtime at this position is billed at is not known, and null.",
    ),
    RefersTo(
        table="employment_profiles",
        name="UnknownOvertimeRule",
        column="overtime_rule",
        field="overtimeRule",
        relation="tracktik_staging.overtime_rules",
        why="What overtime of this employee is paid at is not known, and null.",
    ),
    RefersTo(
        table="back_office_settings",
        name="UnknownOvertimeRule",
        column="payroll_overtime_rule",
        field="payrollOvertimeRule",
        relation="tracktik_staging.overtime_rules",
        why="What overtime is paid at in this region is not known, and null.",
    ),
    RowCheck(
        table="back_office_settings",
        name="AnotherWorkWeek",
        by_slice=False,
        column="payroll_overtime_day_of_week",
        field="payrollOvertimeDayOfWeek",
        holds=f"payroll_overtime_day_of_week = '{WORK_WEEK_BEGINS_ON}'",
        message=f"the work week begins on {{payroll_overtime_day_of_week}}, and overtime is computed from"
        f" {WORK_WEEK_BEGINS_ON} on",
        why="Overtime is counted by the work week: over another one it is another. The models' is one for all regions,"
        " the var work_week_ends_on of sql/dbt_project.yml.",
    ),
    RowCheck(
        table="overtime_rules",
        name="OvertimeNotComputed",
        severity="warning",
        by_slice=False,
        column="id",
        field="rules",
        value="rules::text",
        holds="tracktik.why_not_computed(raw_data) is null",
        message="{name} is not computed: {tracktik.why_not_computed(raw_data)}",
        why="The service says that such a rule exists, and not how it counts. Overtime by it is null, unless the"
        " service itself has summed it up.",
    ),
    Finds(
        table="employees",
        name="NoEmploymentProfile",
        exception_type="MissingValue",
        severity="warning",
        by_slice=False,
        query="""
            select
                row_key,
                'employmentProfile' as field,
                null::text as value,
                'no employment profile names the employee' as message,
                row_slice
            from looked_at
            where status = 'ACTIVE' and not exists (
                select from tracktik_staging.employment_profiles as profile
                where profile.is_latest and profile.deleted_at is null
                and profile.raw_data ->> 'employee' = looked_at.id::text
            )
        """,
        why="By which rule the employee's overtime is paid is not known, and null.",
    ),
    RowCheck(
        table="positions",
        name="NoBillRate",
        severity="warning",
        by_slice=False,
        column="billing_setting_rate",
        field="billingSetting.rate",
        where="status = 'ACTIVE' and not coalesce(non_billable, false)",
        holds="coalesce(billing_setting_rate, 0) > 0",
        message="is billable, and its rate is {coalesce(billing_setting_rate::text, 'missing')}",
        why="Shifts that carry no rate of their own are billed at the position's.",
    ),
    RefersTo(
        table="regions",
        name="ParentIsNoRegion",
        severity="error",
        by_slice=False,
        column="parent_region",
        field="parentRegion",
        relation="tracktik_staging.regions",
        another=True,
        message="parentRegion {parent_region} is itself, or no region",
        why="Totals of a parent region are summed up along it.",
    ),
)
