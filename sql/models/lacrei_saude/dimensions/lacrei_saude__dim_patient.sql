-- One row per patient and version of what is known of them; -1 is the patient nobody knows. Patients are accounts that
-- accepted the patients' privacy document or have booked an appointment. An age is that of the day of signing up.

{{ config(natural_key='patient_key') }}

with

users as (
    select * from {{ ref('lacrei_saude__stg_lacreiid_user') }}
),

-- One account has one profile, but where the source says otherwise.
profiles as (
    select distinct on (user_id) *
    from {{ ref('lacrei_saude__stg_lacreiid_profile') }}
    order by user_id asc, updated_at desc nulls last, profile_id asc
),

appointments as (
    select * from {{ ref('lacrei_saude__stg_lacreiid_appointment') }}
),

accounts as (
    select
        *,
        (created_at at time zone {{ network_time_zone() }})::date as sign_up_date
    from users
),

patients as (
    select
        accounts.*,
        case
            when birth_date <= sign_up_date then extract(year from age(sign_up_date, birth_date))
        end as sign_up_age
    from accounts
    where
        patient_key is not null
        and (
            profile_type = 'patient'
            or user_id in (select appointments.user_id from appointments)
        )
)

select
    patients.patient_key,
    patients.profile_type,
    patients.is_active,
    extract(year from patients.birth_date)::integer as birth_year,
    {{ age_group('patients.sign_up_age') }} as age_group,
    date_trunc('month', patients.sign_up_date)::date as sign_up_month,
    profiles.ethnic_group,
    profiles.gender_identity,
    profiles.sexual_orientation,
    profiles.pronoun,
    profiles.disability_types,
    false as is_gone,
    greatest(patients.updated_at, profiles.updated_at) as effective_at
from patients
left join profiles on patients.user_id = profiles.user_id
