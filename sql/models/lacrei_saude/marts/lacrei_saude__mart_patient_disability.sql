-- One row per month of signing up and type of disability of patients; who named several counts in each of them.

{{ config(alias='patient_disability', unique_key=['period_month', 'disability_type']) }}

with

patients as (
    select * from {{ ref('lacrei_saude__dim_patient') }}
    where is_current and profile_type = 'patient' and sign_up_month is not null
),

named as (
    select
        patients.sign_up_month as period_month,
        patients.is_active,
        {{ or_unknown('answer.code') }} as disability_type
    from patients
    left join lateral unnest(patients.disability_types) as answer (code) on true
)

select
    period_month,
    disability_type,
    count(*)::integer as total_patients,
    count(*) filter (where is_active)::integer as active_patients,
    count(*) filter (where is_active is not true)::integer as inactive_patients,
    {{ per_cent('count(*) filter (where is_active)', 'count(*)') }} as active_percentage
from named
group by 1, 2
