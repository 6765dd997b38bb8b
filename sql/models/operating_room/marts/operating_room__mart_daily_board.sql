-- One row per site, room and surgery date: what the day looked like, for the morning's huddle.

{{ config(unique_key=['surgery_date', 'site_id', 'room_id']) }}

with

cases as (
    select * from {{ ref('operating_room__fact_case') }}
    where room_id is not null
),

room_days as (
    select * from {{ ref('operating_room__fact_prime_time_utilization') }}
),

first_cases as (
    select * from {{ ref('operating_room__fact_first_case_start') }}
),

turnovers as (
    select * from {{ ref('operating_room__fact_turnover') }}
),

rooms as (
    select * from {{ ref('operating_room__dim_room') }}
),

dates as (
    select * from {{ ref('operating_room__dim_date') }}
),

done as (
    select
        surgery_date,
        site_id,
        room_id,
        max(room_key) as room_key,
        count(*) filter (where not is_canceled) as scheduled_cases,
        count(*) filter (where is_performed) as performed_cases,
        count(*) filter (where is_canceled) as canceled_cases,
        count(*) filter (where is_unplanned and not is_canceled) as unplanned_cases,
        count(*) filter (where not is_canceled and not has_valid_times and or_out is not null) as unmeasured_cases,
        max(or_out) filter (where is_performed) as last_out
    from cases
    group by surgery_date, site_id, room_id
),

turned_over as (
    select
        surgery_date,
        site_id,
        room_id,
        count(*) filter (where is_counted) as turnovers,
        round(avg(turnover_minutes) filter (where is_counted), 2) as mean_turnover_minutes,
        coalesce(sum(turnover_minutes) filter (where not is_counted), 0) as idle_minutes
    from turnovers
    group by surgery_date, site_id, room_id
),

-- A room may have had cases and no block, or a block and no case.
members as (
    select
        surgery_date,
        site_id,
        room_id
    from done
    union
    select
        surgery_date,
        site_id,
        room_id
    from room_days
)

select
    members.surgery_date,
    members.site_id,
    members.room_id,
    rooms.room_name,
    rooms.location_name,
    coalesce(dates.is_business_day, false) as is_business_day,
    coalesce(done.scheduled_cases, 0) as scheduled_cases,
    coalesce(done.performed_cases, 0) as performed_cases,
    coalesce(done.canceled_cases, 0) as canceled_cases,
    coalesce(done.unplanned_cases, 0) as unplanned_cases,
    coalesce(done.unmeasured_cases, 0) as unmeasured_cases,
    first_cases.sched_start as first_case_scheduled,
    first_cases.or_in as first_case_in,
    first_cases.minutes_late as first_case_minutes_late,
    first_cases.is_on_time as is_first_case_on_time,
    done.last_out,
    coalesce(room_days.in_room_minutes, 0) as in_room_minutes,
    coalesce(room_days.prime_time_minutes, 0) as prime_time_minutes,
    room_days.prime_time_utilization,
    coalesce(turned_over.turnovers, 0) as turnovers,
    turned_over.mean_turnover_minutes,
    coalesce(turned_over.idle_minutes, 0) as idle_minutes
from members
left join done using (surgery_date, site_id, room_id)
left join room_days using (surgery_date, site_id, room_id)
left join first_cases using (surgery_date, site_id, room_id)
left join turned_over using (surgery_date, site_id, room_id)
left join rooms on coalesce(done.room_key, room_days.room_key) = rooms.surrogate_key
left join dates on members.surgery_date = dates.date_day
