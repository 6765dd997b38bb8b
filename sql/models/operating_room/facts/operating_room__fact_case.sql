-- One row per surgical case, cancelled ones too. Room, surgeon, service and location are those in force on its date.

{{ config(unique_key='case_id') }}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
),

bookings as (
    select * from {{ ref('operating_room__stg_or_schedule') }}
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
)

select
    cases.case_id,
    cases.surgery_date,
    coalesce(rooms.surrogate_key, -1) as room_key,
    coalesce(surgeons.surrogate_key, -1) as surgeon_key,
    coalesce(services.surrogate_key, -1) as service_key,
    coalesce(locations.surrogate_key, -1) as location_key,
    cases.booking_id,
    cases.log_id,
    cases.patient_id,
    cases.room_id,
    cases.patient_class,
    cases.case_type,
    cases.case_class,
    cases.is_unplanned,
    cases.procedure_code,
    cases.procedure_name,
    cases.asa_rating_code,
    cases.panels,
    cases.sched_status,
    cases.is_canceled,
    cases.is_performed,
    cases.has_valid_times,
    judged.is_scheduled_at_cutoff,
    cases.time_zone,
    cases.sched_start,
    cases.or_in,
    cases.proc_start,
    cases.proc_end,
    cases.or_out,
    cases.scheduled_minutes,
    cases.in_room_minutes,
    cases.surgical_minutes,
    cases.start_delay_minutes,
    cases.in_room_minutes - cases.scheduled_minutes as duration_error_minutes,
    abs(cases.in_room_minutes - cases.scheduled_minutes)
    <= greatest(
        {{ var('schedule_accuracy_minutes') }}, cases.scheduled_minutes * {{ var('schedule_accuracy_share') }}
    ) as is_duration_accurate
from cases
left join bookings on cases.booking_id = bookings.booking_id
inner join lateral (
    select
        coalesce(
            coalesce(cases.created_at, bookings.created_at)
            <= (cases.surgery_date - 1 + time '{{ var("same_day_cutoff") }}') at time zone cases.time_zone,
            not cases.is_unplanned
        ) as is_scheduled_at_cutoff
) as judged on true
left join rooms
    on cases.room_id = rooms.room_id
    and {{ in_force('rooms', 'cases.surgery_date') }}
left join surgeons
    on cases.surgeon_id = surgeons.surgeon_id
    and {{ in_force('surgeons', 'cases.surgery_date') }}
left join services
    on cases.service_code = services.service_code
    and {{ in_force('services', 'cases.surgery_date') }}
left join locations
    on cases.location_id = locations.location_id
    and {{ in_force('locations', 'cases.surgery_date') }}
where {{ in_window('cases.surgery_date') }}
