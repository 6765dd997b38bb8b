-- One row per appointment, planned ones and notes too, and those that were deleted, which only the history still tells
-- of. Patient, providers and operatory are those in force on its date; -1 where there is none.

{{ config(unique_key='appointment_num', indexes=[{'columns': ['schedule_date']}]) }}

with

existing as (
    select * from {{ ref('open_dental__stg_appointment') }}
),

events as (
    select * from {{ ref('open_dental__stg_histappointment') }}
),

procedures as (
    select * from {{ ref('open_dental__stg_procedurelog') }}
),

codes as (
    select * from {{ ref('open_dental__stg_procedurecode') }}
),

types as (
    select * from {{ ref('open_dental__stg_appointmenttype') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
),

birthdates as (
    select
        patient_num,
        birthdate
    from {{ ref('open_dental__stg_patient') }}
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
),

providers as (
    {{ dimension_versions(ref('open_dental__dim_provider'), 'provider_num') }}
),

operatories as (
    {{ dimension_versions(ref('open_dental__dim_operatory'), 'operatory_num') }}
),

clinics as (
    {{ dimension_versions(ref('open_dental__dim_clinic'), 'clinic_num') }}
),

-- The history is all that is left of an appointment that was deleted.
deleted as (
    select distinct on (appointment_num) *
    from events
    where action = 'Deleted' and appointment_num not in (select existing.appointment_num from existing)
    order by appointment_num asc, happened_at desc, appointment_event_num desc
),

appointments as (
    {% for relation in ['existing', 'deleted'] -%}
    select
        appointment_num,
        patient_num,
        appointment_status_code,
        appointment_status,
        starts_at,
        schedule_date,
        minutes,
        provider_minutes,
        operatory_num,
        provider_num,
        hygienist_num,
        case when is_hygiene then coalesce(hygienist_num, provider_num) else provider_num end as seen_by_num,
        clinic_num,
        planned_appointment_num,
        confirmation_num,
        appointment_type_num,
        is_new_patient,
        is_hygiene,
        is_asap,
        arrived_at,
        seated_at,
        dismissed_at,
        entered_at,
        {{ 'null::timestamp' if relation == 'existing' else 'happened_at' }} as deleted_at,
        {{ effective_moment('coalesce(schedule_date, entered_at::date)') }} as effective_at
    from {{ relation }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- What is to be done at it, or at a planned one, and what was; and by which codes it was said to be broken.
work as (
    select
        coalesce(procedures.appointment_num, procedures.planned_appointment_num) as appointment_num,
        sum(procedures.gross_fee) filter (where procedures.procedure_status in ('TP', 'C')) as booked_production,
        sum(procedures.gross_fee) filter (where procedures.procedure_status = 'C') as completed_production,
        bool_or(procedures.procedure_status = 'C' and broken.is_missed) as is_missed,
        bool_or(procedures.procedure_status = 'C' and broken.is_cancelled) as is_cancelled,
        bool_or(procedures.procedure_status = 'C' and not broken.is_missed and not broken.is_cancelled) as is_work_done
    from procedures
    left join codes on procedures.code_num = codes.code_num
    inner join lateral (
        select
            coalesce(codes.procedure_code = '{{ var('missed_appointment_code') }}', false) as is_missed,
            coalesce(codes.procedure_code = '{{ var('cancelled_appointment_code') }}', false) as is_cancelled
    ) as broken on true
    where coalesce(procedures.appointment_num, procedures.planned_appointment_num) is not null
    group by 1
),

changes as (
    select
        appointment_num,
        count(*) filter (where action = 'Missed') as times_missed,
        count(*) filter (where action = 'Cancelled') as times_cancelled,
        {{ latest_value('action', 'appointment_event_num') }} as last_breaking
    from events
    where action in ('Missed', 'Cancelled')
    group by appointment_num
),

-- A code that says it was broken stays with an appointment that is scheduled anew, and then is no word on it.
outcomes as (
    select
        appointments.appointment_num,
        appointments.deleted_at is not null as is_deleted,
        appointments.deleted_at is null
        and case
            when appointments.appointment_status = 'Broken' then true
            when appointments.appointment_status in ('Complete', 'UnschedList')
                then coalesce((work.is_missed or work.is_cancelled) and not work.is_work_done, false)
            else false
        end as is_broken,
        case
            when work.is_missed then 'Missed'
            when work.is_cancelled then 'Cancelled'
            else coalesce(changes.last_breaking, 'Broken')
        end as broken_how
    from appointments
    left join work on appointments.appointment_num = work.appointment_num
    left join changes on appointments.appointment_num = changes.appointment_num
)

select
    appointments.appointment_num,
    appointments.schedule_date,
    {{ dimension_key('patients') }} as patient_key,
    {{ dimension_key('providers') }} as provider_key,
    {{ dimension_key('hygienists') }} as hygienist_key,
    {{ dimension_key('seen_by') }} as seen_by_key,
    {{ dimension_key('operatories') }} as operatory_key,
    {{ dimension_key('clinics') }} as clinic_key,
    appointments.patient_num,
    appointments.provider_num,
    appointments.hygienist_num,
    appointments.seen_by_num,
    appointments.operatory_num,
    appointments.clinic_num,
    appointments.planned_appointment_num,
    {{ age_on('appointments.schedule_date', 'birthdates.birthdate') }} as patient_age,
    appointments.appointment_status_code,
    appointments.appointment_status,
    outcomes.is_deleted,
    outcomes.is_broken,
    case when outcomes.is_broken then outcomes.broken_how end as broken_how,
    kinds.is_kept and not outcomes.is_broken and not outcomes.is_deleted as is_completed,
    kinds.is_to_come and not outcomes.is_deleted as is_scheduled,
    kinds.is_planned,
    kinds.is_note,
    (kinds.is_kept or kinds.is_to_come or outcomes.is_broken) and not outcomes.is_deleted as is_on_schedule,
    appointments.starts_at,
    appointments.starts_at + appointments.minutes * interval '1 minute' as ends_at,
    appointments.minutes,
    appointments.provider_minutes,
    appointments.arrived_at,
    appointments.seated_at,
    appointments.dismissed_at,
    case
        when appointments.seated_at >= appointments.arrived_at
            then {{ minutes_between('appointments.arrived_at', 'appointments.seated_at') }}
    end as wait_minutes,
    case
        when appointments.dismissed_at >= appointments.seated_at
            then {{ minutes_between('appointments.seated_at', 'appointments.dismissed_at') }}
    end as chair_minutes,
    appointments.entered_at,
    appointments.deleted_at,
    appointments.schedule_date - appointments.entered_at::date as days_ahead,
    appointments.is_new_patient,
    appointments.is_hygiene,
    appointments.is_asap,
    definitions.item_name as confirmation,
    types.name as appointment_type,
    coalesce(changes.times_missed, 0) as times_missed,
    coalesce(changes.times_cancelled, 0) as times_cancelled,
    coalesce(work.booked_production, 0)::numeric(14, 2) as booked_production,
    coalesce(work.completed_production, 0)::numeric(14, 2) as completed_production
from appointments
inner join outcomes on appointments.appointment_num = outcomes.appointment_num
inner join lateral (
    select
        coalesce(appointments.appointment_status = 'Complete', false) as is_kept,
        coalesce(appointments.appointment_status in ('Scheduled', 'ASAP'), false) as is_to_come,
        coalesce(appointments.appointment_status = 'Planned', false) as is_planned,
        coalesce(appointments.appointment_status in ('PtNote', 'PtNoteCompleted'), false) as is_note
) as kinds on true
left join work on appointments.appointment_num = work.appointment_num
left join changes on appointments.appointment_num = changes.appointment_num
left join definitions on appointments.confirmation_num = definitions.definition_num
left join types on appointments.appointment_type_num = types.appointment_type_num
left join birthdates on appointments.patient_num = birthdates.patient_num
{{ join_dimension('patients', 'patient_num', 'appointments.patient_num', moment='appointments.effective_at') }}
{{ join_dimension('providers', 'provider_num', 'appointments.provider_num', moment='appointments.effective_at') }}
{{
    join_dimension(
        'providers', 'provider_num', 'appointments.hygienist_num',
        moment='appointments.effective_at', role='hygienists',
    )
}}
{{
    join_dimension(
        'providers', 'provider_num', 'appointments.seen_by_num',
        moment='appointments.effective_at', role='seen_by',
    )
}}
{{ join_dimension('operatories', 'operatory_num', 'appointments.operatory_num', moment='appointments.effective_at') }}
{{ join_dimension('clinics', 'clinic_num', 'appointments.clinic_num', moment='appointments.effective_at') }}
