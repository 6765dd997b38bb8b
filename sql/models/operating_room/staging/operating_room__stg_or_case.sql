-- One row per surgical case, as the last file told of it: trimmed, its words normalised, its times judged.

with

cases as (
    select * from {{ source('stg', 'or_case') }}
)

select
    coalesce(cases.site_id, '') as site_id,
    cases.case_id,
    {{ cleaned('cases.log_id') }} as log_id,
    coalesce({{ cleaned('cases.or_case_id') }}, cases.case_id) as booking_id,
    {{ cleaned('cases.patient_id') }} as patient_id,
    cases.surgery_date,
    {{ cleaned('cases.room_id') }} as room_id,
    {{ cleaned('cases.room_name') }} as room_name,
    {{ cleaned('cases.location_id') }} as location_id,
    {{ cleaned('cases.location_name') }} as location_name,
    {{ cleaned('cases.primary_surgeon_prov_id') }} as surgeon_id,
    {{ cleaned('cases.primary_surgeon') }} as surgeon_name,
    {{ cleaned('cases.primary_surgeon_npi') }} as surgeon_npi,
    {{ cleaned('cases.primary_surgeon_specialty') }} as surgeon_specialty,
    upper({{ cleaned('cases.case_service') }}) as service_code,
    {{ cleaned('cases.case_service') }} as service_name,
    {{ cleaned('cases.pat_class_name') }} as patient_class,
    {{ cleaned('cases.case_type_name') }} as case_type,
    normalized.case_class,
    coalesce(normalized.case_class in ('urgent', 'emergent', 'add-on'), false) as is_unplanned,
    {{ cleaned('cases.primary_procedure_code') }} as procedure_code,
    {{ cleaned('cases.primary_procedure') }} as procedure_name,
    {{ cleaned('cases.asa_rating_code') }} as asa_rating_code,
    cases.num_of_panels as panels,
    normalized.sched_status,
    {{ cleaned('cases.cancel_code') }} as cancel_code,
    coalesce({{ cleaned('cases.cancel_name') }}, {{ cleaned('cases.cancel_desc') }}) as cancel_reason,
    site.time_zone,
    cases.sched_start_time as sched_start,
    cases.or_in,
    cases.proc_start,
    cases.proc_end,
    cases.or_out,
    cases.sched_duration as scheduled_minutes,
    cases.record_create_date at time zone site.time_zone as created_at,
    moments.sched_start_at,
    moments.or_in_at,
    moments.proc_start_at,
    moments.proc_end_at,
    moments.or_out_at,
    flags.is_canceled,
    flags.has_valid_times,
    flags.has_valid_times and not flags.is_canceled as is_performed,
    case
        when flags.has_valid_times and not flags.is_canceled
            then {{ minutes_between('moments.or_in_at', 'moments.or_out_at') }}
    end as in_room_minutes,
    case
        when flags.has_valid_times and not flags.is_canceled
            then {{ minutes_between('moments.proc_start_at', 'moments.proc_end_at') }}
    end as surgical_minutes,
    -- Known as soon as the patient is in, before the case has ended.
    case
        when not flags.is_canceled and flags.is_near_its_date and (flags.has_valid_times or cases.or_out is null)
            then {{ minutes_between('moments.sched_start_at', 'moments.or_in_at') }}
    end as start_delay_minutes
from cases
-- `limit 1` has each of these worked out once a row; without it PostgreSQL would do so at every mention.
inner join lateral (
    select coalesce({{ cleaned('cases.time_zone') }}, 'UTC') as time_zone
    limit 1
) as site on true
inner join lateral (
    select
        case
            when cases.sched_status ilike '%cancel%' then 'canceled'
            when cases.sched_status ilike '%complete%' or cases.sched_status ilike '%performed%' then 'completed'
            when cases.sched_status ilike '%sched%' then 'scheduled'
            else lower({{ cleaned('cases.sched_status') }})
        end as sched_status,
        case
            when cases.case_class_name ilike '%elective%' then 'elective'
            when cases.case_class_name ilike '%urgent%' then 'urgent'
            when cases.case_class_name ilike '%emerg%' then 'emergent'
            when cases.case_class_name ilike '%add%on%' then 'add-on'
            else lower({{ cleaned('cases.case_class_name') }})
        end as case_class
    limit 1
) as normalized on true
inner join lateral (
    select
        cases.sched_start_time at time zone site.time_zone as sched_start_at,
        cases.or_in at time zone site.time_zone as or_in_at,
        cases.proc_start at time zone site.time_zone as proc_start_at,
        cases.proc_end at time zone site.time_zone as proc_end_at,
        cases.or_out at time zone site.time_zone as or_out_at
    limit 1
) as moments on true
inner join lateral (
    select
        coalesce(
            normalized.sched_status = 'canceled',
            {{ cleaned('cases.cancel_code') }} is not null and cases.or_in is null
        ) as is_canceled,
        -- The times that minutes are taken from. A slip in the holding area or in anaesthesia is a finding of the
        -- rules, not a reason to lose the room's minutes.
        coalesce(
            moments.or_in_at <= moments.or_out_at
            and moments.or_out_at - moments.or_in_at <= interval '1 minute' * {{ var('case_longest_minutes') }}
            and cases.or_in::date between cases.surgery_date - 1 and cases.surgery_date + 1
            and coalesce(moments.proc_start_at between moments.or_in_at and moments.or_out_at, true)
            and coalesce(moments.proc_end_at between moments.or_in_at and moments.or_out_at, true)
            and coalesce(moments.proc_start_at <= moments.proc_end_at, true),
            false
        ) as has_valid_times,
        cases.or_in::date between cases.surgery_date - 1 and cases.surgery_date + 1 as is_near_its_date
    limit 1
) as flags on true
