-- One row per room and surgery date that had a first case: of the planned cases booked to start early in the day, not
-- cancelled, the one booked first.

{{ config(unique_key=['surgery_date', 'site_id', 'room_id']) }}

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
    select distinct on (site_id, room_id, surgery_date) *
    from cases
    where
        room_id is not null
        and not is_canceled
        and not is_unplanned
        and sched_start::date = surgery_date
        and sched_start::time between '{{ var("first_case_earliest_start") }}'
        and '{{ var("first_case_latest_start") }}'
        and {{ in_window('surgery_date') }}
    order by site_id, room_id, surgery_date, sched_start_at, or_in_at, case_id
)

select
    first_cases.surgery_date,
    first_cases.site_id,
    first_cases.room_id,
    first_cases.case_id,
    {{ dimension_key('rooms') }} as room_key,
    {{ dimension_key('surgeons') }} as surgeon_key,
    {{ dimension_key('services') }} as service_key,
    {{ dimension_key('locations') }} as location_key,
    coalesce(dates.is_business_day, false) as is_business_day,
    first_cases.sched_start,
    first_cases.or_in,
    first_cases.start_delay_minutes as minutes_late,
    first_cases.start_delay_minutes <= {{ var('first_case_grace_minutes') }} as is_on_time
from first_cases
left join dates on first_cases.surgery_date = dates.date_day
{{ join_site_dimension('rooms', 'room_id', 'first_cases', day='first_cases.surgery_date') }}
{{ join_site_dimension('surgeons', 'surgeon_id', 'first_cases', day='first_cases.surgery_date') }}
{{ join_dimension('services', 'service_code', 'first_cases.service_code', day='first_cases.surgery_date') }}
{{ join_site_dimension('locations', 'location_id', 'first_cases', day='first_cases.surgery_date') }}
