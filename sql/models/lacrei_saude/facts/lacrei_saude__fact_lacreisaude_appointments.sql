-- One row per appointment, however many reports and cancellations it has; one that was moved to another time is the
-- same row. Professional and clinic are as they were then. Its day is that of the clinic's clock for a visit in person,
-- and of Sao Paulo's else; it is booked online.

{{ config(unique_key='appointment_id', indexes=[{'columns': ['date_id']}]) }}

with

appointments as (
    select * from {{ ref('lacrei_saude__stg_lacreiid_appointment') }}
),

users as (
    select * from {{ ref('lacrei_saude__stg_lacreiid_user') }}
),

professionals as (
    select * from {{ ref('lacrei_saude__stg_lacreisaude_professional') }}
),

-- A professional has one clinic, but where the source says otherwise.
clinics as (
    select distinct on (professional_id)
        professional_id,
        clinic_id
    from {{ ref('lacrei_saude__stg_lacreisaude_clinic') }}
    order by professional_id asc, updated_at desc nulls last, clinic_id asc
),

professional_versions as (
    {{ dimension_versions(ref('lacrei_saude__dim_professional'), 'professional_key') }}
),

clinic_versions as (
    {{ dimension_versions(ref('lacrei_saude__dim_clinic'), 'clinic_id') }}
),

cancellations as (
    select
        appointment_id,
        count(*)::integer as cancellation_count,
        max(created_at) as cancellation_created_at
    from {{ ref('lacrei_saude__stg_lacreiid_cancellation') }}
    group by appointment_id
),

reports as (
    select
        appointment_id,
        count(*)::integer as report_count
    from {{ ref('lacrei_saude__stg_lacreiid_report') }}
    group by appointment_id
),

-- What a patient said last counts.
ratings as (
    select distinct on (appointment_id)
        appointment_id,
        evaluation as rating
    from {{ ref('lacrei_saude__stg_lacreiid_report') }}
    where created_by = 'patient' and evaluation is not null
    order by appointment_id asc, created_at desc nulls last, report_id asc
),

-- A date that is none joins the first version of each.
described as (
    select
        appointments.*,
        users.patient_key,
        professionals.professional_key,
        clinics.clinic_id,
        professional_versions.state,
        professional_versions.specialty,
        case
            when appointments.type = 'in_person'
                then coalesce(clinic_versions.time_zone, {{ network_time_zone() }})
            else {{ network_time_zone() }}
        end as time_zone
    from appointments
    left join users on appointments.user_id = users.user_id
    left join professionals on appointments.professional_id = professionals.professional_id
    left join clinics on appointments.professional_id = clinics.professional_id
    {{
        join_dimension(
            'professional_versions', 'professional_key', 'professionals.professional_key',
            moment="coalesce(appointments.appointment_date, '-infinity')",
        ) | indent(4)
    }}
    {{
        join_dimension(
            'clinic_versions', 'clinic_id', 'clinics.clinic_id',
            moment="coalesce(appointments.appointment_date, '-infinity')",
        ) | indent(4)
    }}
)

select
    described.appointment_id,
    md5(described.appointment_id) as appointment_fingerprint,
    {{ date_id('described.created_at', network_time_zone()) }} as created_date_id,
    {{ date_id('described.appointment_date', 'described.time_zone') }} as date_id,
    described.status,
    described.type,
    described.rescheduled,
    case
        when described.created_at <= described.appointment_date
            then floor(extract(epoch from described.appointment_date - described.created_at) / 60)::integer
    end as waiting_minutes,
    described.patient_key,
    described.professional_key,
    described.clinic_id,
    described.state,
    described.specialty,
    coalesce(reports.report_count, 0) as report_count,
    ratings.rating,
    cancellations.cancellation_created_at,
    coalesce(cancellations.cancellation_count, 0) as cancellation_count
from described
left join cancellations on described.appointment_id = cancellations.appointment_id
left join reports on described.appointment_id = reports.appointment_id
left join ratings on described.appointment_id = ratings.appointment_id
