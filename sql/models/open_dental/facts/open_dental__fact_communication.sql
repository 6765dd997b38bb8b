-- One row per communication with or about a patient. What was said is not taken. Patient and login are those in force
-- then; -1 where there is none.

{{ config(unique_key='communication_num', indexes=[{'columns': ['communication_date']}]) }}

with

communications as (
    select
        *,
        {{ moment_of('coalesce(began_at, entered_at)') }} as counts_at
    from {{ ref('open_dental__stg_commlog') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
),

patients as (
    {{ members_of(ref('open_dental__dim_patient'), 'patient_num') }}
),

users as (
    {{ members_of(ref('open_dental__dim_user'), 'user_num') }}
)

select
    communications.communication_num,
    coalesce(communications.began_at, communications.entered_at)::date as communication_date,
    coalesce(patients.surrogate_key, -1) as patient_key,
    coalesce(users.surrogate_key, -1) as user_key,
    communications.patient_num,
    communications.user_num,
    communications.referral_num,
    communications.communication_type_num,
    definitions.item_name as communication_type,
    communications.mode_code,
    communications.mode,
    communications.direction_code,
    communications.direction,
    communications.source_code,
    communications.source,
    communications.began_at,
    communications.ended_at,
    case
        when communications.ended_at >= communications.began_at
            then {{ minutes_between('communications.began_at', 'communications.ended_at') }}
    end as duration_minutes
from communications
left join definitions on communications.communication_type_num = definitions.definition_num
left join patients
    on communications.patient_num = patients.patient_num
    and {{ in_force_at('patients', 'communications.counts_at') }}
left join users
    on communications.user_num = users.user_num
    and {{ in_force_at('users', 'communications.counts_at') }}
