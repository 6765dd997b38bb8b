"""Data quality rules of the operating room. A finding never stops the good rows beside it.

Where a share of rows is broken that makes sums over all of them wrong, nothing is built on the table
(`blocks_above`). The thresholds are those of the system that this one follows, unless `why` says otherwise.
"""

from datetime import timedelta

from etl_assets.declare.rules import DateWithin, FilesTakenIn, Finds, InOrder, MinutesBetween, Required
from etl_assets.declare.rules_between import NoOverlap

SHORTEST_CASE, LONGEST_CASE = 15, 720
QUIETEST_ROOM_DAY, BUSIEST_ROOM_DAY = 120, 720
SHORTEST_TURNOVER, LONGEST_TURNOVER = 15, 90
LEAST_BLOCK_USE, MOST_BLOCK_USE = 0.2, 1.2
FIRST_DAY, DAYS_AHEAD = "2000-01-01", timedelta(days=731)
BLOCK_STARTS = "schedule_date + slot_start_time"
BLOCK_ENDS = (
    "schedule_date + slot_end_time"
    " + case when slot_end_time <= slot_start_time then interval '1 day' else interval '0' end"
)

RULES = (
    DateWithin(
        table="or_case",
        name="InvalidSurgeryDates",
        column="surgery_date",
        first=FIRST_DAY,
        ahead=DAYS_AHEAD,
        by_slice=False,
        why="Nobody books surgery more than two years ahead, and no file of ours reaches back before 2000: a typing"
        " error in the year takes the case out of the month it belongs to.",
    ),
    Required(
        table="or_case",
        name="MissingRequiredFields",
        columns=("patient_id", "room_id", "location_id", "primary_surgeon_prov_id"),
        why="A case without a room counts in no room's utilisation, one without a surgeon in no surgeon's.",
    ),
    InOrder(
        table="or_case",
        name="InvalidTimeSequence",
        pairs=(
            ("or_in", "or_out"),
            ("proc_start", "proc_end"),
            ("anes_start", "anes_end"),
            ("preop_in", "preop_out"),
            ("preop_out", "or_in"),
            ("or_in", "proc_start"),
            ("proc_end", "or_out"),
        ),
        blocks_above=0.05,
        why="Minutes between moments in the wrong order are negative. Such cases are left out of every sum; when one"
        " in twenty is, the sums are wrong. Anaesthesia may start before the patient is in the room.",
    ),
    NoOverlap(
        table="or_case",
        name="OverlappingCases",
        starts="or_in",
        ends="or_out",
        resource=("site_id", "room_id"),
        message="room {later.room_id}: in at {later.or_in}, before {earlier.row_key} was out at {earlier.or_out}",
        why="Two patients are not in one room at once: one of the two times is wrong, and it makes no turnover.",
    ),
    MinutesBetween(
        table="or_case",
        name="UnusualCaseDuration",
        start="or_in",
        end="or_out",
        low=SHORTEST_CASE,
        high=LONGEST_CASE,
        severity="warning",
        why="Under a quarter of an hour nobody is brought in, operated and taken out; over twelve hours is rare"
        " enough to be looked at.",
    ),
    Finds(
        table="or_case",
        name="RoomUtilizationOutlier",
        exception_type="OutOfRange",
        severity="warning",
        query="""
            select
                concat_ws('|', nullif(site_id, ''), row_slice, room_id) as row_key,
                'minutes' as field,
                round(sum(minutes))::text as value,
                'room ' || room_id || ' was used for ' || round(sum(minutes)) || ' minutes; '
                || %(low)s || ' to ' || %(high)s || ' are usual' as message,
                row_slice
            from (
                select
                    *,
                    extract(epoch from (or_out at time zone time_zone) - (or_in at time zone time_zone)) / 60 as minutes
                from looked_at
                where or_out >= or_in and room_id is not null
            ) as used
            group by row_slice, room_id, site_id
            having sum(minutes) not between %(low)s and %(high)s
        """,
        parameters={"low": QUIETEST_ROOM_DAY, "high": BUSIEST_ROOM_DAY},
        why="A room that runs over twelve hours, or opens for less than two, is a staffing question or a wrong time.",
    ),
    Finds(
        table="or_case",
        name="TurnoverTimeAnomaly",
        exception_type="OutOfRange",
        severity="warning",
        query="""
            select
                row_key,
                'turnover' as field,
                round(minutes)::text as value,
                'the room was empty for ' || round(minutes) || ' minutes before the next case; '
                || %(low)s || ' to ' || %(high)s || ' are usual' as message,
                row_slice
            from (
                select
                    row_key,
                    row_slice,
                    extract(
                        epoch from lead(or_in at time zone time_zone) over room_day - (or_out at time zone time_zone)
                    ) / 60 as minutes
                from looked_at
                where or_out >= or_in and room_id is not null
                window room_day as (partition by site_id, room_id, row_slice order by or_in, row_key)
            ) as turnover
            where minutes >= 0 and minutes not between %(low)s and %(high)s
        """,
        parameters={"low": SHORTEST_TURNOVER, "high": LONGEST_TURNOVER},
        why="A room is not cleaned in under a quarter of an hour, and after an hour and a half it stood idle.",
    ),
    Required(
        table="block_schedule",
        name="MissingRequiredFields",
        columns=("slot_end_time",),
        why="A block without an end has no minutes.",
    ),
    NoOverlap(
        table="block_schedule",
        name="OverlappingBlocks",
        starts=BLOCK_STARTS,
        ends=BLOCK_ENDS,
        resource=("site_id", "room_id"),
        where="released_at is null",
        message="room {later.room_id}: begins at {later.starts}, before the block of {earlier.starts} ends at"
        " {earlier.ends}",
        why="A minute of a room that two owners hold is counted twice. A released block is nobody's and overlaps none.",
    ),
    Finds(
        table="block_schedule",
        name="BlockUtilizationAnomaly",
        exception_type="OutOfRange",
        severity="warning",
        query="""
            with block as (
                select
                    *,
                    schedule_date + slot_start_time as starts,
                    schedule_date + slot_end_time
                    + case when slot_end_time <= slot_start_time then interval '1 day' else interval '0' end as ends
                from looked_at
                where released_at is null and slot_end_time is not null
            ),

            used as (
                select
                    block.row_key,
                    block.row_slice,
                    sum(extract(epoch from cases.or_out - cases.or_in))
                    / extract(epoch from min(block.ends) - min(block.starts)) as share
                from block
                inner join stg.or_case as cases
                    on cases.room_id = block.room_id
                    -- A block knows its site by name where its file has no id of it.
                    and (
                        cases.site_id = block.site_id
                        or block.site_id in ('', cases.location_id, cases.location_name)
                    )
                    and cases.or_in < block.ends
                    and cases.or_out > block.starts
                group by block.row_key, block.row_slice
            )

            select
                row_key,
                'utilization' as field,
                round(100 * share, 1)::text as value,
                round(100 * share, 1) || ' %% of the block is used; '
                || round(100 * %(low)s) || ' to ' || round(100 * %(high)s) || ' %% are usual' as message,
                row_slice
            from used
            where share not between %(low)s and %(high)s
        """,
        parameters={"low": LEAST_BLOCK_USE, "high": MOST_BLOCK_USE},
        why="A block that cases overrun by a fifth is too short, one used for a fifth should be given back. Cases count"
        " in full, clipped to the block they could never pass it.",
    ),
    *(
        FilesTakenIn(
            table=table,
            name="FilesTakenIn",
            source="operating_room",
            strays=table == "or_case",
            why="A file that was refused is a day that is missing. It is taken in when it is delivered anew.",
        )
        for table in ("block_schedule", "or_case", "or_schedule")
    ),
)
