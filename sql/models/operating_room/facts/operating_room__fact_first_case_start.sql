-- One row per room and surgery date that had a first case: of the planned cases booked to start early in the day, not
-- cancelled, the one booked first.

{{ config(unique_key=['surgery_date', 'room_id']) }}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
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

dates as (
    select * from {{ ref('operating_room__dim_date') }}
),

first_cases as (
    select distinct on (room_id, surgery_date) *
    from cases
    where
        room_id is not null
        and not is_canceled
        and not is_unplanned
        and sched_start::date = surgery_date
        and sched_start::time between '{{ var("first_case_earliest_start") }}'
        and '{{ var("first_case_latest_start") }}'
        and {{ in_window('surgery_date') }}
    order by room_id, surgery_date, sched_start_at, or_in_at, case_id
)

select
    first_cases.surgery_date,
    first_cases.room_id,
    first_cases.case_id,
    coalesce(rooms.surrogate_key, -1) as room_key,
    coalesce(surgeons.surrogate_key, -1) as surgeon_key,
    coalesce(services.surrogate_key, -1) as service_key,
    coalesce(locations.surrogate_key, -1) as location_key,
    coalesce(dates.is_business_day, false) as is_business_day,
    first_cases.sched_start,
    first_cases.or_in,
    first_cases.start_delay_minutes as minutes_late,
    first_cases.start_delay_minutes <= {{ var('first_case_grace_minutes') }} as is_on_time
from first_cases
left join dates on first_cases.surgery_date = dates.date_day
left join rooms
    on first_cases.room_id = rooms.room_id
    and {{ in_force('rooms', 'first_cases.surgery_date') }}
left join surgeons
    on first_cases.surgeon_id = surgeons.surgeon_id
    and {{ in_force('surgeons', 'first_cases.surgery_date') }}
left join services
    on first_cases.service_code = services.service_code
    and {{ in_force('services', 'first_cases.surgery_date') }}
left join locations
    on first_cases.location_id = locations.location_id
    and {{ in_force('locations', 'first_cases.surgery_date') }}
