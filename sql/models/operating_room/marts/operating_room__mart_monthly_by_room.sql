-- One row per month, site and room: cases, use of prime time, turnovers, first cases.

{{ config(unique_key=['month', 'site_id', 'room_id']) }}

with

room_days as (
    select * from {{ ref('operating_room__fact_prime_time_utilization') }}
),

cases as (
    select * from {{ ref('operating_room__fact_case') }}
    where is_performed and room_id is not null
),

turnovers as (
    select * from {{ ref('operating_room__fact_turnover') }}
    where is_counted
),

first_cases as (
    select * from {{ ref('operating_room__fact_first_case_start') }}
),

rooms as (
    select * from {{ ref('operating_room__dim_room') }}
    where is_current
),

used as (
    select
        date_trunc('month', surgery_date)::date as month,
        site_id,
        room_id,
        count(*) filter (where in_room_minutes > 0) as days_used,
        sum(in_room_minutes) as in_room_minutes,
        sum(prime_time_minutes) as prime_time_minutes,
        sum(outside_prime_time_minutes) as outside_prime_time_minutes,
        sum(staffed_minutes) as staffed_minutes
    from room_days
    group by 1, 2, 3
),

done as (
    select
        date_trunc('month', surgery_date)::date as month,
        site_id,
        room_id,
        count(*) as cases
    from cases
    group by 1, 2, 3
),

turned_over as (
    select
        date_trunc('month', surgery_date)::date as month,
        site_id,
        room_id,
        count(*) as turnovers,
        round(avg(turnover_minutes), 2) as mean_turnover_minutes,
        {{ median('turnover_minutes') }} as median_turnover_minutes
    from turnovers
    group by 1, 2, 3
),

begun as (
    select
        date_trunc('month', surgery_date)::date as month,
        site_id,
        room_id,
        count(is_on_time) as first_cases,
        count(*) filter (where is_on_time) as first_cases_on_time,
        {{ median('minutes_late') }} as median_first_case_minutes_late
    from first_cases
    group by 1, 2, 3
)

select
    used.month,
    used.site_id,
    used.room_id,
    rooms.room_name,
    rooms.location_name,
    coalesce(done.cases, 0) as cases,
    used.days_used,
    used.in_room_minutes,
    used.prime_time_minutes,
    used.outside_prime_time_minutes,
    used.staffed_minutes,
    {{ ratio('used.prime_time_minutes', 'used.staffed_minutes') }} as prime_time_utilization,
    coalesce(turned_over.turnovers, 0) as turnovers,
    turned_over.mean_turnover_minutes,
    turned_over.median_turnover_minutes,
    coalesce(begun.first_cases, 0) as first_cases,
    coalesce(begun.first_cases_on_time, 0) as first_cases_on_time,
    {{ ratio('begun.first_cases_on_time::numeric', 'begun.first_cases') }} as first_case_on_time_rate,
    begun.median_first_case_minutes_late
from used
left join done using (month, site_id, room_id)
left join turned_over using (month, site_id, room_id)
left join begun using (month, site_id, room_id)
left join rooms
    on used.site_id = rooms.site_id
    and used.room_id = rooms.room_id
