-- One row per block: site, room, date and starting time. How much of it its owner used, raw and adjusted, and who else
-- did.

{{
    config(
        unique_key=['surgery_date', 'site_id', 'room_id', 'block_start'],
        window_days_before=1,
        window_days_after=1,
    )
}}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
    where is_performed and {{ in_window('surgery_date', days_before=3, days_after=3) }}
),

blocks as (
    select * from {{ ref('operating_room__stg_block_schedule') }}
    where room_id is not null and {{ in_window('schedule_date', days_before=2, days_after=2) }}
),

rooms as (
    select * from {{ ref('operating_room__dim_room') }}
),

surgeons as (
    select * from {{ ref('operating_room__dim_surgeon') }}
),

services as (
    select * from {{ ref('operating_room__dim_service') }}
),

locations as (
    select * from {{ ref('operating_room__dim_location') }}
),

-- Days on which somebody operated: of another it cannot be said whether its blocks were used.
measured_days as (
    select distinct
        site_id,
        surgery_date
    from cases
),

-- A service that the files write in two ways owns a block under either.
owned_blocks as (
    select
        blocks.*,
        services.surrogate_key as service_key,
        services.canonical_code
    from blocks
    left join services
        on blocks.service_code = services.service_code
        and {{ valid_on('services', 'blocks.schedule_date') }}
),

-- Rooms and days are matched first: a case or a block touches one calendar day, or two.
block_days as (
    select distinct
        owned_blocks.*,
        day.day
    from owned_blocks
    cross join lateral (
        values (owned_blocks.schedule_date), (owned_blocks.schedule_date + owned_blocks.is_overnight::integer)
    ) as day (day)
),

case_days as (
    select distinct
        cases.case_id,
        cases.site_id,
        cases.room_id,
        cases.surgeon_id,
        coalesce(services.canonical_code, cases.service_code) as canonical_code,
        cases.or_in_at,
        cases.or_out_at,
        cases.in_room_minutes,
        day.day
    from cases
    cross join lateral (values (cases.or_in::date), (cases.or_out::date)) as day (day)
    left join services
        on cases.service_code = services.service_code
        and {{ valid_on('services', 'cases.surgery_date') }}
),

-- Each case in each block that it overlaps, whoever owns that.
uses as (
    select distinct
        block_days.schedule_date,
        block_days.site_id,
        block_days.room_id,
        block_days.slot_start_time,
        block_days.start_at,
        case_days.case_id,
        case_days.or_in_at,
        case_days.or_out_at,
        case_days.in_room_minutes,
        case block_days.owner_type
            when 'open' then true
            when 'surgeon' then case_days.surgeon_id = block_days.surgeon_id
            else case_days.canonical_code = block_days.canonical_code
        end is true as is_owners,
        {{ minutes_between('case_days.or_in_at', 'block_days.start_at') }} as before_minutes,
        {{
            overlap_minutes(
                'case_days.or_in_at', 'case_days.or_out_at', 'block_days.start_at', 'block_days.end_at'
            )
        }} as inside_minutes
    from block_days
    inner join case_days
        on block_days.site_id = case_days.site_id
        and block_days.room_id = case_days.room_id
        and block_days.day = case_days.day
        and block_days.start_at < case_days.or_out_at
        and block_days.end_at > case_days.or_in_at
),

-- What a case spends outside the blocks of its own is said once, of the first of them it touches.
outside as (
    select
        *,
        row_number() over own_blocks = 1 as is_first_block,
        sum(inside_minutes) over (partition by site_id, case_id, is_owners) as own_minutes,
        max(or_out_at) over (
            partition by schedule_date, site_id, room_id, slot_start_time
            order by or_in_at, or_out_at, case_id
            rows between unbounded preceding and 1 preceding
        ) as earlier_out_at
    from uses
    window own_blocks as (partition by site_id, case_id, is_owners order by start_at, slot_start_time)
),

-- The gaps between two of the owner's cases in the block, with no other patient in between.
gaps as (
    select
        schedule_date,
        site_id,
        room_id,
        slot_start_time,
        {{ minutes_between('lag(or_out_at) over block', 'or_in_at') }} as gap_minutes,
        is_owners and lag(is_owners) over block as is_owners
    from outside
    where earlier_out_at is null or or_out_at > earlier_out_at
    window block as (
        partition by schedule_date, site_id, room_id, slot_start_time order by or_in_at, or_out_at, case_id
    )
),

-- To turn the room over between two cases of one's own is use as well, up to a cap; a longer gap is idle time.
credits as (
    select
        schedule_date,
        site_id,
        room_id,
        slot_start_time,
        sum(least(gap_minutes, {{ var('turnover_credit_cap_minutes') }})) as turnover_credit_minutes
    from gaps
    where is_owners and gap_minutes between 0 and {{ var('turnover_cap_minutes') }}
    group by schedule_date, site_id, room_id, slot_start_time
),

used as (
    select
        schedule_date,
        site_id,
        room_id,
        slot_start_time,
        count(*) filter (where is_owners) as owner_cases,
        count(*) filter (where not is_owners) as other_cases,
        coalesce(sum(inside_minutes) filter (where is_owners), 0) as owner_minutes,
        coalesce(sum(inside_minutes) filter (where not is_owners), 0) as other_minutes,
        coalesce(sum(greatest(before_minutes, 0)) filter (where is_owners and is_first_block), 0) as early_minutes,
        coalesce(
            sum(greatest(in_room_minutes - greatest(before_minutes, 0) - own_minutes, 0))
            filter (where is_owners and is_first_block),
            0
        ) as late_minutes
    from outside
    group by schedule_date, site_id, room_id, slot_start_time
),

-- What was given back in time is nobody's to fill, and so is a block that is closed.
measured as (
    select
        owned_blocks.*,
        measure.is_measured,
        case
            when owned_blocks.is_time_off or owned_blocks.is_released_in_time then 0
            else owned_blocks.block_minutes
        end as available_minutes,
        case
            when owned_blocks.is_time_off then 0
            when owned_blocks.is_released_in_time then owned_blocks.block_minutes
            else 0
        end as released_minutes,
        case when measure.is_measured then coalesce(used.owner_cases, 0) end as owner_cases,
        case when measure.is_measured then coalesce(used.other_cases, 0) end as other_cases,
        case when measure.is_measured then coalesce(used.owner_minutes, 0) end as owner_minutes,
        case when measure.is_measured then coalesce(used.other_minutes, 0) end as other_minutes,
        case when measure.is_measured then coalesce(used.early_minutes, 0) end as early_minutes,
        case when measure.is_measured then coalesce(used.late_minutes, 0) end as late_minutes,
        case when measure.is_measured then coalesce(credits.turnover_credit_minutes, 0) end as turnover_credit_minutes
    from owned_blocks
    left join measured_days
        on owned_blocks.site_id = measured_days.site_id
        and owned_blocks.schedule_date = measured_days.surgery_date
    inner join lateral (
        select
            measured_days.surgery_date is not null
            and (owned_blocks.owner_type <> 'group' or owned_blocks.service_code is not null) as is_measured
    ) as measure on true
    left join used
        on owned_blocks.schedule_date = used.schedule_date
        and owned_blocks.site_id = used.site_id
        and owned_blocks.room_id = used.room_id
        and owned_blocks.slot_start_time = used.slot_start_time
    left join credits
        on owned_blocks.schedule_date = credits.schedule_date
        and owned_blocks.site_id = credits.site_id
        and owned_blocks.room_id = credits.room_id
        and owned_blocks.slot_start_time = credits.slot_start_time
)

select
    measured.schedule_date as surgery_date,
    measured.site_id,
    measured.room_id,
    measured.slot_start_time as block_start,
    measured.slot_end_time as block_end,
    {{ dimension_key('rooms') }} as room_key,
    {{ dimension_key('locations') }} as location_key,
    coalesce(measured.service_key, -1) as service_key,
    {{ dimension_key('surgeons') }} as surgeon_key,
    measured.owner_type,
    measured.owner_id,
    measured.block_key,
    measured.block_title,
    measured.is_overnight,
    measured.is_time_off,
    measured.is_released_in_time,
    measured.is_measured,
    measured.released,
    measured.block_minutes,
    measured.released_minutes::numeric(14, 2) as released_minutes,
    measured.available_minutes::numeric(14, 2) as available_minutes,
    measured.owner_cases,
    measured.other_cases,
    measured.owner_minutes::numeric(14, 2) as owner_minutes,
    measured.other_minutes::numeric(14, 2) as other_minutes,
    measured.early_minutes::numeric(14, 2) as early_minutes,
    measured.late_minutes::numeric(14, 2) as late_minutes,
    measured.turnover_credit_minutes::numeric(14, 2) as turnover_credit_minutes,
    case
        when measured.available_minutes > 0 then {{ ratio('measured.owner_minutes', 'measured.available_minutes') }}
    end as raw_utilization,
    case
        when measured.available_minutes > 0
            then {{
                ratio(
                    '(measured.owner_minutes + measured.turnover_credit_minutes'
                    ~ ' + measured.early_minutes + measured.late_minutes)',
                    'measured.available_minutes',
                )
            }}
    end as adjusted_utilization
from measured
{{ join_site_dimension('rooms', 'room_id', 'measured', day='measured.schedule_date') }}
{{ join_site_dimension('locations', 'location_id', 'rooms', day='measured.schedule_date') }}
{{ join_site_dimension('surgeons', 'surgeon_id', 'measured', day='measured.schedule_date') }}
where {{ in_window('measured.schedule_date', days_before=1, days_after=1) }}
