-- One row per communication with or about a patient. What was said is not taken. Patient and login are those in force
-- then; -1 where there is none.

{{ config(unique_key='communication_num', indexes=[{'columns': ['communication_date']}]) }}

with

communications as (
    select
        *,
        {{ effective_moment('coalesce(began_at, entered_at)') }} as effective_at
    from {{ ref('open_dental__stg_commlog') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
),

users as (
    {{ dimension_versions(ref('open_dental__dim_user'), 'user_num') }}
)

select
    communications.communication_num,
    coalesce(communications.began_at, communications.entered_at)::date as communication_date,
    {{ dimension_key('patients') }} as patient_key,
    {{ dimension_key('users') }} as user_key,
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
{{ join_dimension('patients', 'patient_num', 'communications.patient_num', moment='communications.effective_at') }}
{{ join_dimension('users', 'user_num', 'communications.user_num', moment='communications.effective_at') }}
