-- One row per change of an appointment that the history tells of, with what it was before and after. Rows that the
-- source has purged stay. The login is the one in force then; -1 where it was nobody's.

{{ config(unique_key='appointment_event_num', indexes=[{'columns': ['event_date']}]) }}

with

events as (
    select * from {{ ref('open_dental__stg_histappointment') }}
),

users as (
    {{ dimension_versions(ref('open_dental__dim_user'), 'user_num') }}
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
),

followed as (
    select
        *,
        {{ effective_moment('happened_at') }} as effective_at,
        lag(starts_at) over timeline as from_starts_at,
        lag(appointment_status) over timeline as from_status,
        lag(operatory_num) over timeline as from_operatory_num,
        lag(minutes) over timeline as from_minutes,
        row_number() over timeline as ordinal
    from events
    window timeline as (partition by appointment_num order by happened_at, appointment_event_num)
)

select
    followed.appointment_event_num,
    followed.appointment_num,
    followed.ordinal,
    followed.happened_at,
    followed.happened_at::date as event_date,
    {{ dimension_key('users') }} as user_key,
    {{ dimension_key('patients') }} as patient_key,
    followed.user_num,
    followed.patient_num,
    followed.clinic_num,
    followed.action_code,
    followed.action,
    followed.source,
    followed.from_starts_at,
    followed.starts_at as to_starts_at,
    followed.from_status,
    followed.appointment_status as to_status,
    followed.from_operatory_num,
    followed.operatory_num as to_operatory_num,
    followed.from_minutes,
    followed.minutes as to_minutes,
    followed.ordinal > 1 and (followed.starts_at is distinct from followed.from_starts_at) as is_moved,
    followed.ordinal > 1 and (followed.appointment_status is distinct from followed.from_status) as is_status_changed
from followed
{{ join_dimension('users', 'user_num', 'followed.user_num', moment='followed.effective_at') }}
{{ join_dimension('patients', 'patient_num', 'followed.patient_num', moment='followed.effective_at') }}
