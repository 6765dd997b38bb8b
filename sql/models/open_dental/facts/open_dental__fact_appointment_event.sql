-- One row per change of an appointment that the history tells of, with what it was before and after. Rows that the
-- source has purged stay. The login is the one in force then; -1 where it was nobody's.

{{ config(unique_key='appointment_event_num', indexes=[{'columns': ['event_date']}]) }}

with

events as (
    select * from {{ ref('open_dental__stg_histappointment') }}
),

users as (
    {{ members_of(ref('open_dental__dim_user'), 'user_num') }}
),

patients as (
    {{ members_of(ref('open_dental__dim_patient'), 'patient_num') }}
),

followed as (
    select
        *,
        {{ moment_of('happened_at') }} as counts_at,
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
    coalesce(users.surrogate_key, -1) as user_key,
    coalesce(patients.surrogate_key, -1) as patient_key,
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
left join users
    on followed.user_num = users.user_num
    and {{ in_force_at('users', 'followed.counts_at') }}
left join patients
    on followed.patient_num = patients.patient_num
    and {{ in_force_at('patients', 'followed.counts_at') }}
