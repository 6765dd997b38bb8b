-- One row per month and specialty of appointments that were completed or rated by their patients. Each report of a
-- patient counts; for the response rate, an appointment that was rated counts once.

{{ config(unique_key=['month', 'specialty']) }}

with

appointments as (
    select * from {{ ref('lacrei_saude__fact_lacreisaude_appointments') }}
),

dates as (
    select * from {{ ref('lacrei_saude__dim_date') }}
),

reports as (
    select
        appointment_id,
        count(*) as feedback,
        count(*) filter (where evaluation = 1) as rating_1,
        count(*) filter (where evaluation = 2) as rating_2,
        count(*) filter (where evaluation = 3) as rating_3,
        count(*) filter (where evaluation = 4) as rating_4,
        count(*) filter (where evaluation = 5) as rating_5
    from {{ ref('lacrei_saude__dim_report') }}
    where is_current and created_by = 'patient' and evaluation between 1 and 5
    group by appointment_id
),

summed as (
    select
        dates.month_start as month,
        {{ or_unknown('appointments.specialty') }} as specialty,
        coalesce(sum(reports.feedback), 0)::integer as total_feedback,
        coalesce(sum(reports.rating_1), 0)::integer as rating_1,
        coalesce(sum(reports.rating_2), 0)::integer as rating_2,
        coalesce(sum(reports.rating_3), 0)::integer as rating_3,
        coalesce(sum(reports.rating_4), 0)::integer as rating_4,
        coalesce(sum(reports.rating_5), 0)::integer as rating_5,
        count(*) filter (where appointments.status = 'completed')::integer as completed,
        count(*) filter (where appointments.status = 'completed' and reports.feedback > 0)::integer as answered,
        count(distinct appointments.patient_key) filter (where reports.feedback > 0)::integer as patients
    from appointments
    inner join dates on appointments.date_id = dates.date_id
    left join reports on appointments.appointment_id = reports.appointment_id
    where appointments.status = 'completed' or reports.feedback > 0
    group by 1, 2
)

select
    month,
    specialty,
    total_feedback,
    rating_1,
    rating_2,
    rating_3,
    rating_4,
    rating_5,
    round(
        (rating_1 + 2 * rating_2 + 3 * rating_3 + 4 * rating_4 + 5 * rating_5)::numeric / nullif(total_feedback, 0), 2
    )::numeric(14, 2) as avg_rating,
    completed,
    answered,
    {{ per_cent('answered', 'completed') }} as response_rate,
    patients
from summed
