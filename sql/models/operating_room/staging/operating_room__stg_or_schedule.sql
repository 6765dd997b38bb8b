-- One row per booking, as the last file told of it: trimmed, its words normalised.

with recursive

bookings as (
    select * from {{ source('stg', 'or_schedule') }}
),

{{ known_sites() }}

select
    {{ site_of('bookings') }} as site_id,
    bookings.or_case_id as booking_id,
    {{ cleaned('bookings.log_id') }} as log_id,
    bookings.surgery_date,
    {{ cleaned('bookings.room_name') }} as room_name,
    {{ cleaned('bookings.location_name') }} as location_name,
    {{ cleaned('bookings.primary_surgeon_id') }} as surgeon_id,
    {{ cleaned('bookings.primary_surgeon_name') }} as surgeon_name,
    {{ cleaned('bookings.primary_surgeon_npi') }} as surgeon_npi,
    {{ cleaned('bookings.primary_surgeon_specialty') }} as surgeon_specialty,
    upper({{ cleaned('bookings.case_service') }}) as service_code,
    {{ cleaned('bookings.case_service') }} as service_name,
    {{ cleaned('bookings.pat_class_name') }} as patient_class,
    {{ cleaned('bookings.primary_proc_name') }} as procedure_name,
    normalized.sched_status,
    coalesce(normalized.sched_status = 'canceled', bookings.cancel_date is not null) as is_canceled,
    {{ cleaned('bookings.case_cancel_reason_code') }} as cancel_code,
    {{ cleaned('bookings.case_cancel_reason') }} as cancel_reason,
    site.time_zone,
    bookings.sched_start_time as sched_start,
    bookings.sched_duration as scheduled_minutes,
    bookings.case_created_date at time zone site.time_zone as created_at,
    bookings.cancel_date as canceled,
    bookings.cancel_date at time zone site.time_zone as canceled_at
from bookings
{{ join_sites('bookings') }}
-- `limit 1` has each of these worked out once a row; without it PostgreSQL would do so at every mention.
inner join lateral (
    select coalesce({{ cleaned('bookings.time_zone') }}, 'UTC') as time_zone
    limit 1
) as site on true
inner join lateral (
    select
        case
            when bookings.sched_status ilike '%cancel%' then 'canceled'
            when bookings.sched_status ilike '%complete%' or bookings.sched_status ilike '%performed%' then 'completed'
            when bookings.sched_status ilike '%sched%' then 'scheduled'
            else lower({{ cleaned('bookings.sched_status') }})
        end as sched_status
    limit 1
) as normalized on true
