-- One row per room and calendar day on which a patient was in it or a block was scheduled. Minutes belong to the day
-- on which they were spent, so a case over midnight gives to both.

{{
    config(
        unique_key=['surgery_date', 'site_id', 'room_id'],
        window_days_before=1,
        window_days_after=1,
    )
}}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
    where is_performed and room_id is not null and {{ in_window('surgery_date', days_before=2, days_after=2) }}
),

blocks as (
    select * from {{ ref('operating_room__stg_block_schedule') }}
    where room_id is not null and {{ in_window('schedule_date', days_before=1, days_after=1) }}
),

rooms as (
    select * from {{ ref('operating_room__dim_room') }}
),

locations as (
    select * from {{ ref('operating_room__dim_location') }}
),

dates as (
    select * from {{ ref('operating_room__dim_date') }}
),

-- A case once for each calendar day it touches; one that ends at midnight does not touch the next.
case_days as (
    select
        cases.*,
        day.day::date as day
    from cases
    cross join lateral generate_series(
        cases.or_in::date::timestamp,
        greatest(cases.or_in, cases.or_out - interval '1 microsecond')::date::timestamp,
        interval '1 day'
    ) as day (day)
),

-- The tail of the night before does not staff a room. Nor does a block of a day on which nobody operated at the site:
-- that is a plan, not yet an empty room.
touched_days as (
    select
        site_id,
        room_id,
        day,
        time_zone,
        day = surgery_date as is_staffed
    from case_days
    union all
    select
        blocks.site_id,
        blocks.room_id,
        blocks.schedule_date,
        blocks.time_zone,
        true
    from blocks
    where
        not blocks.is_time_off
        and exists (
            select 1 from cases
            where cases.site_id = blocks.site_id and cases.surgery_date = blocks.schedule_date
        )
),

room_days as (
    select
        site_id,
        room_id,
        day,
        min(time_zone) as time_zone,
        bool_or(is_staffed) as is_staffed
    from touched_days
    group by site_id, room_id, day
),

-- Prime time and the day on the site's wall clock, which has 23 or 25 hours when the clocks change.
spans as (
    select
        room_days.site_id,
        room_days.room_id,
        room_days.day,
        room_days.is_staffed,
        coalesce(dates.is_business_day, false) as is_business_day,
        (room_days.day + time '{{ var("prime_time_start") }}') at time zone room_days.time_zone as prime_start_at,
        (room_days.day + time '{{ var("prime_time_end") }}') at time zone room_days.time_zone as prime_end_at,
        room_days.day::timestamp at time zone room_days.time_zone as day_start_at,
        (room_days.day + 1)::timestamp at time zone room_days.time_zone as day_end_at
    from room_days
    left join dates on room_days.day = dates.date_day
),

used as (
    select
        spans.site_id,
        spans.room_id,
        spans.day,
        spans.is_business_day,
        case
            when spans.is_business_day and spans.is_staffed
                then {{ minutes_between('spans.prime_start_at', 'spans.prime_end_at') }}
            else 0
        end as staffed_minutes,
        count(case_days.case_id) as cases,
        coalesce(sum({{
            overlap_minutes('case_days.or_in_at', 'case_days.or_out_at', 'spans.day_start_at', 'spans.day_end_at')
        }}), 0) as in_room_minutes,
        case
            when spans.is_business_day
                then coalesce(sum({{
                    overlap_minutes(
                        'case_days.or_in_at', 'case_days.or_out_at', 'spans.prime_start_at', 'spans.prime_end_at'
                    )
                }}), 0)
            else 0
        end as prime_time_minutes
    from spans
    left join case_days
        on spans.site_id = case_days.site_id
        and spans.room_id = case_days.room_id
        and spans.day = case_days.day
    group by
        spans.site_id,
        spans.room_id,
        spans.day,
        spans.is_staffed,
        spans.is_business_day,
        spans.prime_start_at,
        spans.prime_end_at
)

select
    used.day as surgery_date,
    used.site_id,
    used.room_id,
    {{ dimension_key('rooms') }} as room_key,
    {{ dimension_key('locations') }} as location_key,
    used.is_business_day,
    used.cases,
    used.in_room_minutes::numeric(14, 2) as in_room_minutes,
    used.prime_time_minutes::numeric(14, 2) as prime_time_minutes,
    (used.in_room_minutes - used.prime_time_minutes)::numeric(14, 2) as outside_prime_time_minutes,
    used.staffed_minutes::numeric(14, 2) as staffed_minutes,
    {{ ratio('used.prime_time_minutes', 'used.staffed_minutes') }} as prime_time_utilization
from used
{{ join_site_dimension('rooms', 'room_id', 'used', day='used.day') }}
{{ join_site_dimension('locations', 'location_id', 'rooms', day='used.day') }}
where {{ in_window('used.day', days_before=1, days_after=1) }}
