-- One row per month, type, state and specialty of appointments.

{{ config(unique_key=['month', 'type', 'state', 'specialty']) }}

with

appointments as (
    select * from {{ ref('lacrei_saude__fact_lacreisaude_appointments') }}
),

dates as (
    select * from {{ ref('lacrei_saude__dim_date') }}
)

select
    dates.month_start as month,
    {{ or_unknown('appointments.type') }} as type,
    {{ or_unknown('appointments.state') }} as state,
    {{ or_unknown('appointments.specialty') }} as specialty,
    count(*)::integer as total_appointments,
    count(*) filter (where appointments.status = 'pending')::integer as pending,
    count(*) filter (where appointments.status = 'confirmed')::integer as confirmed,
    count(*) filter (where appointments.status = 'completed')::integer as completed,
    count(*) filter (where appointments.status = 'canceled')::integer as canceled,
    count(*) filter (
        where coalesce(appointments.status, '') not in ('pending', 'confirmed', 'completed', 'canceled')
    )::integer as other,
    {{ per_cent("count(*) filter (where appointments.status = 'completed')", 'count(*)') }} as completion_rate,
    {{ per_cent("count(*) filter (where appointments.status = 'canceled')", 'count(*)') }} as cancellation_rate,
    {{ mean('appointments.waiting_minutes') }} as avg_waiting_minutes,
    count(distinct appointments.patient_key)::integer as patients
from appointments
inner join dates on appointments.date_id = dates.date_id
group by 1, 2, 3, 4
