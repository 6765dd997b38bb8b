-- Room-days whose minutes are not those of their cases. Only rooms and days without a case over midnight, whose
-- minutes belong to two days.

{{ config(meta={'dagster': {'ref': {'name': 'operating_room__fact_prime_time_utilization'}}}) }}

with

cases as (
    select * from {{ ref('operating_room__fact_case') }}
    where is_performed and room_id is not null
),

room_days as (
    select * from {{ ref('operating_room__fact_prime_time_utilization') }}
),

by_day as (
    select
        surgery_date,
        site_id,
        room_id,
        sum(in_room_minutes) as in_room_minutes
    from cases
    group by surgery_date, site_id, room_id
),

overnight as (
    select
        site_id,
        room_id,
        surgery_date - 1 as first_day,
        surgery_date + 1 as last_day
    from cases
    where or_in::date <> surgery_date or or_out::date <> surgery_date
)

select
    by_day.surgery_date,
    by_day.site_id,
    by_day.room_id,
    by_day.in_room_minutes as minutes_of_cases,
    room_days.in_room_minutes as minutes_of_day
from by_day
left join room_days
    on by_day.surgery_date = room_days.surgery_date
    and by_day.site_id = room_days.site_id
    and by_day.room_id = room_days.room_id
where
    by_day.in_room_minutes is distinct from room_days.in_room_minutes
    and not exists (
        select 1 from overnight
        where
            overnight.site_id = by_day.site_id
            and overnight.room_id = by_day.room_id
            and by_day.surgery_date between overnight.first_day and overnight.last_day
    )
