"""Data quality rules of TrackTik's records. A finding never stops the good rows beside it.

The statuses are the API's own (TrackTik's OpenAPI file), and not those of the system that this one follows, whose list
declared every real shift invalid. Zero is a value: only what is null or blank is missing.
"""

from etl_assets.declare.rules import Finds, InOrder, OneOf, RefersTo, Required

SHIFT_STATUSES = ("ACTIVE", "CANCELLED")
ATTENDANCE_STATUSES = (
    "SCHEDULED", "LATE", "IN_PROGRESS", "ON_BREAK", "MISSED", "COMPLETED", "OVER_CLOCK", "EARLY_CLOCK_OUT", "PTO",
)  # fmt: skip
EMPLOYEE_STATUSES = ("ACTIVE", "INACTIVE", "TERMINATED", "BANNED")
CLIENT_STATUSES = ("ACTIVE", "INACTIVE", "CLOSED")
MAX_SESSION_HOURS = 24
ROUNDING_TOLERANCE = 0.01


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
    Finds(
        table="shifts",
        name="TimesDisagree",
        kind="InvalidSequence",
        query="""
            select
                row_key,
                'startDateTime' as field,
                start_date_time::text as value,
                'startDateTime is ' || start_date_time || ' and startsOn ' || to_timestamp(starts_on) as message,
                row_slice
            from looked_at
            where starts_on between 0 and 32503680000 and start_date_time <> to_timestamp(starts_on)
        """,
        why="Both say the same moment, one with the site's offset and one in UTC. Where they differ, the offset is"
        " wrong or missing, and the shift may be counted in the wrong day or billing period.",
    ),
    Finds(
        table="shifts",
        name="HoursOutOfRange",
        kind="OutOfRange",
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
            ) as reported (field, hours)
            where hours < 0 or (field = 'scheduled hours' and hours > lasts + 0.01)
        """,
        why="Hours are never negative, and nobody can be scheduled for longer than the shift lasts. There is no bound"
        " of 24: a live-in post runs for days, and the day the clocks go back has 25 hours.",
    ),
    Finds(
        table="shifts",
        name="ApprovedFarFromClocked",
        kind="OutOfRange",
        severity="warning",
        query="""
            select
                row_key,
                'approvedHours' as field,
                approved_hours::text as value,
                'approved are ' || approved_hours || ' hours and clocked ' || clocked_hours as message,
                row_slice
            from looked_at
            where status = 'ACTIVE' and paid_time_off is not true and abs(approved_hours - clocked_hours) > 4
        """,
        why="What is approved is billed. Four hours beside the clock is more than a forgotten clock-out.",
    ),
    Finds(
        table="shifts",
        name="OverlappingShifts",
        kind="Overlap",
        severity="warning",
        query="""
            select
                later.row_key,
                'overlaps ' || earlier.row_key as field,
                later.start_date_time::text as value,
                'employee ' || later.employee || ' is still on shift ' || earlier.row_key || ' until '
                || earlier.end_date_time as message,
                later.row_slice
            from looked_at as later
            inner join looked_at as earlier
                on earlier.employee = later.employee
                and (earlier.start_date_time, earlier.row_key) < (later.start_date_time, later.row_key)
                and earlier.end_date_time > later.start_date_time
            where later.status = 'ACTIVE' and earlier.status = 'ACTIVE'
        """,
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
        kind="OutOfRange",
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
    Finds(
        table="shifts",
        name="VanishedShifts",
        severity="warning",
        by_slice=False,
        query="""
            select
                row_key,
                'id' as field,
                row_key as value,
                'the list no longer gives it since ' || vanished_at::date as message,
                row_slice
            from looked_at
            where vanished_at is not null
        """,
        why="A list leaves out what somebody may not see any more, so this is no deletion: the shift is still counted.",
    ),
    Finds(
        table="shift_summaries",
        name="SummaryBehindShift",
        severity="warning",
        by_slice=False,
        query="""
            select
                looked_at.row_key,
                'billHours' as field,
                looked_at.bill_hours::text as value,
                'the summary bills ' || looked_at.bill_hours || ' hours and the shift '
                || (shift.raw_data ->> 'billableHours') as message,
                looked_at.row_slice
            from looked_at
            inner join tracktik_staging.shifts as shift on shift.id = looked_at.shift
            where
                pg_input_is_valid(shift.raw_data ->> 'billableHours', 'numeric')
                and (shift.raw_data ->> 'billableHours')::numeric <> looked_at.bill_hours
        """,
        why="TrackTik sums a shift up some time after it was changed. Until then we compute what is billed ourselves.",
    ),
    Finds(
        table="shift_summaries",
        name="SummaryDoesNotAddUp",
        by_slice=False,
        query="""
            select
                row_key,
                'billTotal' as field,
                bill_total::text as value,
                'billTotal is ' || bill_total || ', its parts make ' || round(parts, 2) as message,
                row_slice
            from (
                select
                    *,
                    round(bill_base_rate * bill_hours, 2) + coalesce(bill_overtime_impact, 0)
                    + coalesce(bill_holiday_impact, 0) + coalesce(bill_premium_impact, 0)
                    - coalesce(bill_discount_impact, 0) as parts
                from looked_at
            ) as summed
            where abs(bill_total - parts) > %(cent)s
        """,
        parameters={"cent": ROUNDING_TOLERANCE},
        why="The total of an invoice line is its base and its impacts; where it is not, a component is missing.",
    ),
    InOrder(
        table="work_sessions",
        name="InvalidTimeSequence",
        pairs=(("started_on", "ended_on"),),
        why="A session that ends before it begins has negative hours.",
    ),
    Finds(
        table="work_sessions",
        name="SessionNeverEnded",
        kind="OutOfRange",
        severity="warning",
        query="""
            select
                row_key,
                'endedOn' as field,
                coalesce(ended_on::text, '') as value,
                'began at ' || started_on || ' and lasts longer than %(longest)s hours' as message,
                row_slice
            from looked_at
            where coalesce(ended_on, now()) - started_on > make_interval(hours => %(longest)s)
        """,
        parameters={"longest": MAX_SESSION_HOURS},
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
    Finds(
        table="employees",
        name="DuplicateCustomId",
        severity="warning",
        by_slice=False,
        query="""
            select
                row_key,
                'customId' as field,
                custom_id as value,
                custom_id || ' is the number of ' || count(*) over (partition by custom_id) || ' employees' as message,
                row_slice
            from (
                select
                    *,
                    count(*) over (partition by custom_id) as times
                from looked_at
                where custom_id <> '' and status = 'ACTIVE'
            ) as numbered
            where times > 1
        """,
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
    Finds(
        table="clients",
        name="UnknownTimeZone",
        by_slice=False,
        query="""
            select
                row_key,
                'timeZone' as field,
                time_zone as value,
                time_zone || ' is no IANA time zone' as message,
                row_slice
            from looked_at
            where time_zone is not null and not exists (select from pg_timezone_names where name = time_zone)
        """,
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
    Finds(
        table="positions",
        name="NoBillRate",
        severity="warning",
        by_slice=False,
        query="""
            select
                row_key,
                'billingSetting.rate' as field,
                billing_setting_rate::text as value,
                'is billable, and its rate is ' || coalesce(billing_setting_rate::text, 'missing') as message,
                row_slice
            from looked_at
            where status = 'ACTIVE' and not coalesce(non_billable, false) and coalesce(billing_setting_rate, 0) <= 0
        """,
        why="Shifts that carry no rate of their own are billed at the position's.",
    ),
    Finds(
        table="regions",
        name="ParentIsNoRegion",
        by_slice=False,
        query="""
            select
                row_key,
                'parentRegion' as field,
                parent_region::text as value,
                'parentRegion ' || parent_region || ' is itself, or no region' as message,
                row_slice
            from looked_at
            where parent_region is not null and (
                parent_region = looked_at.id
                or not exists (select from tracktik_staging.regions as other where other.id = looked_at.parent_region)
            )
        """,
        why="Totals of a parent region are summed up along it.",
    ),
)
