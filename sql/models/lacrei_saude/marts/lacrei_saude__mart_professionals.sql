-- One row per professional: what is known of them now, the appointments that they completed, and how their patients
-- rated them.

{{ config(alias='professionals', unique_key='professional_sk') }}

with

professionals as (
    select * from {{ ref('lacrei_saude__dim_professional') }}
    where is_current and professional_key is not null
),

appointments as (
    select * from {{ ref('lacrei_saude__fact_lacreisaude_appointments') }}
    where date_id is not null
),

completed as (
    select
        professional_key,
        count(*) filter (where status = 'completed')::integer as total_appointments,
        count(distinct patient_key) filter (where status = 'completed')::integer as patients_seen
    from appointments
    group by professional_key
),

rated as (
    select
        appointments.professional_key,
        count(*)::integer as total_feedback,
        {{ mean('reports.evaluation') }} as avg_feedback_rating,
        count(distinct appointments.patient_key)::integer as patients
    from {{ ref('lacrei_saude__dim_report') }} as reports
    inner join appointments on reports.appointment_id = appointments.appointment_id
    where reports.is_current and reports.created_by = 'patient' and reports.evaluation between 1 and 5
    group by appointments.professional_key
)

select
    professionals.professional_key as professional_sk,
    {{ or_unknown('professionals.specialty') }} as specialty,
    {{ or_unknown('professionals.state') }} as state,
    {{ or_unknown('professionals.ethnic_group') }} as ethnic_group,
    {{ or_unknown('professionals.gender_identity') }} as gender_identity,
    {{ or_unknown('professionals.sexual_orientation') }} as sexual_orientation,
    {{ or_unknown('professionals.pronoun') }} as pronoun,
    {{ or_unknown('professionals.profile_status') }} as profile_status,
    professionals.active,
    coalesce(completed.total_appointments, 0) as total_appointments,
    coalesce(rated.total_feedback, 0) as total_feedback,
    rated.avg_feedback_rating,
    coalesce(completed.patients_seen, 0) as patients_seen,
    coalesce(rated.patients, 0) as patients
from professionals
left join completed on professionals.professional_key = completed.professional_key
left join rated on professionals.professional_key = rated.professional_key
