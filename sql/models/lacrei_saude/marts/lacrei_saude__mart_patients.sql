-- One row per month of signing up, age group, gender identity, sexual orientation and ethnic group of patients.

{{
    config(
        alias='patients',
        unique_key=['period_month', 'age_group', 'gender_identity', 'sexual_orientation', 'ethnic_group'],
    )
}}

with

patients as (
    select * from {{ ref('lacrei_saude__dim_patient') }}
    where is_current and profile_type = 'patient' and sign_up_month is not null
),

counted as (
    select
        sign_up_month as period_month,
        age_group,
        {{ or_unknown('gender_identity') }} as gender_identity,
        {{ or_unknown('sexual_orientation') }} as sexual_orientation,
        {{ or_unknown('ethnic_group') }} as ethnic_group,
        count(*)::integer as total_patients,
        count(*) filter (where is_active)::integer as active_patients,
        count(*) filter (where is_active is not true)::integer as inactive_patients
    from patients
    group by 1, 2, 3, 4, 5
)

select
    counted.period_month,
    counted.age_group,
    counted.gender_identity,
    counted.sexual_orientation,
    counted.ethnic_group,
    counted.total_patients,
    counted.active_patients,
    counted.inactive_patients,
    {{ per_cent('counted.active_patients', 'counted.total_patients') }} as active_percentage,
    {{ per_cent('counted.total_patients - before.total_patients', 'before.total_patients') }} as growth_rate
from counted
left join counted as before
    on counted.period_month = (before.period_month + interval '1 month')::date
    and counted.age_group = before.age_group
    and counted.gender_identity = before.gender_identity
    and counted.sexual_orientation = before.sexual_orientation
    and counted.ethnic_group = before.ethnic_group
