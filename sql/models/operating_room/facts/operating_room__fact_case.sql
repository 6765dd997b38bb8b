-- One row per surgical case, cancelled ones too. Room, surgeon, service and location are those in force on its date.

{{
    config(
        unique_key=['site_id', 'case_id'],
        input_reach={'operating_room__stg_or_schedule': 'any'},
    )
}}

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
    cases.site_id,
    cases.case_id,
    cases.surgery_date,
    {{ dimension_key('rooms') }} as room_key,
    {{ dimension_key('surgeons') }} as surgeon_key,
    {{ dimension_key('services') }} as service_key,
    {{ dimension_key('locations') }} as location_key,
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
    cutoff.is_scheduled_at_cutoff,
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
left join bookings
    on cases.site_id = bookings.site_id
    and cases.booking_id = bookings.booking_id
-- Whether it stood on the schedule at the cutoff of the day before; where nobody knows when it was booked, a case did
-- unless it was unplanned.
inner join lateral (
    select
        coalesce(
            coalesce(cases.created_at, bookings.created_at)
            <= (cases.surgery_date - 1 + time '{{ var("same_day_cutoff") }}') at time zone cases.time_zone,
            not cases.is_unplanned
        ) as is_scheduled_at_cutoff
) as cutoff on true
{{ join_site_dimension('rooms', 'room_id', 'cases', day='cases.surgery_date') }}
{{ join_site_dimension('surgeons', 'surgeon_id', 'cases', day='cases.surgery_date') }}
{{ join_dimension('services', 'service_code', 'cases.service_code', day='cases.surgery_date') }}
{{ join_site_dimension('locations', 'location_id', 'cases', day='cases.surgery_date') }}
where {{ in_window('cases.surgery_date') }}
