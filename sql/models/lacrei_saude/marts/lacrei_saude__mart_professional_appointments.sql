-- One row per professional and month of appointments, by the specialty and the state that they had then; of
-- professionals that the source does not tell (N/I) one together.

{{
    config(
        alias='professional_appointments',
        unique_key=['professional_sk', 'appointment_period', 'specialty', 'state'],
    )
}}

with

appointments as (
    select * from {{ ref('lacrei_saude__fact_lacreisaude_appointments') }}
),

dates as (
    select * from {{ ref('lacrei_saude__dim_date') }}
),

dated as (
    select
        appointments.*,
        dates.month_start as appointment_period
    from appointments
    inner join dates on appointments.date_id = dates.date_id
),

counted as (
    select
        {{ or_unknown('professional_key') }} as professional_sk,
        appointment_period,
        {{ or_unknown('specialty') }} as specialty,
        {{ or_unknown('state') }} as state,
        count(*)::integer as total,
        count(*) filter (where status = 'completed')::integer as completed,
        count(*) filter (where status = 'completed' and type = 'online')::integer as completed_online,
        count(*) filter (where status = 'completed' and type = 'in_person')::integer as completed_presencial,
        count(*) filter (where status = 'canceled')::integer as cancelled,
        count(*) filter (where status = 'canceled' and type = 'online')::integer as cancelled_online,
        count(*) filter (where status = 'canceled' and type = 'in_person')::integer as cancelled_presencial,
        {{ mean('waiting_minutes') }} as avg_waiting_minutes,
        count(distinct patient_key)::integer as patients
    from dated
    group by 1, 2, 3, 4
)

select
    professional_sk,
    appointment_period,
    specialty,
    state,
    total,
    completed,
    completed_online,
    completed_presencial,
    cancelled_online,
    cancelled_presencial,
    {{ per_cent('completed', 'total') }} as completion_rate,
    {{ per_cent('cancelled', 'total') }} as cancellation_rate,
    avg_waiting_minutes,
    patients
from counted
