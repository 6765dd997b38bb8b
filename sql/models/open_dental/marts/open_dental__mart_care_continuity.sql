-- One row per patient and month in which something of theirs was done, planned, kept or due: whether they come back,
-- and what became of the treatment that was presented to them. Deleted patients are left out.

{{ config(unique_key=['patient_num', 'month_start'], indexes=[{'columns': ['month_start']}]) }}

with

procedures as (
    select * from {{ ref('open_dental__fact_procedure') }}
    where patient_num is not null and not is_deleted
),

appointments as (
    select * from {{ ref('open_dental__fact_appointment') }}
    where patient_num is not null and schedule_date is not null
),

recalls as (
    select * from {{ ref('open_dental__fact_recall') }}
),

patients as (
    select * from {{ ref('open_dental__dim_patient') }}
    where is_current
),

first_visits as (
    select
        patient_num,
        date_trunc('month', min(procedure_date))::date as month_start
    from procedures
    where is_completed
    group by patient_num
),

done as (
    select
        patient_num,
        date_trunc('month', procedure_date)::date as month_start,
        count(*) as completed_procedures,
        sum(gross_production) as gross_production
    from procedures
    where is_completed and procedure_date is not null
    group by 1, 2
),

-- Work that was planned before it was done. An inactive plan was presented too; what was done on the day it was planned
-- was not.
presented as (
    select
        patient_num,
        date_trunc('month', planned_date)::date as month_start,
        count(*) as presented_procedures,
        count(*) filter (where is_completed or is_scheduled) as accepted_procedures,
        sum(gross_fee) as presented_amount,
        sum(gross_fee) filter (where is_completed or is_scheduled) as accepted_amount,
        sum(gross_fee) filter (where is_completed) as completed_amount
    from procedures
    where
        planned_date is not null
        and (is_treatment_planned or is_inactive_plan or (is_completed and procedure_date > planned_date))
    group by 1, 2
),

visits as (
    select
        patient_num,
        date_trunc('month', schedule_date)::date as month_start,
        count(*) filter (where is_completed) as completed_visits,
        count(*) filter (where is_broken) as broken_appointments,
        max(starts_at) filter (where is_completed) as last_visit_at
    from appointments
    where is_completed or is_broken
    group by 1, 2
),

-- The last appointment that was made and not broken, whether it was kept or is still to come.
last_made as (
    select
        patient_num,
        max(starts_at) as starts_at
    from appointments
    where is_completed or is_scheduled
    group by patient_num
),

-- A recall that was kept has its last visit in the month; one that was not is still due in it.
recall_days as (
    select
        patient_num,
        previous_date as day,
        'kept' as recall_state
    from recalls
    where previous_date is not null and recall_state not in ('disabled', 'inactive')
    union all
    select
        patient_num,
        due_date,
        recall_state
    from recalls
    where due_date is not null and recall_state not in ('disabled', 'inactive')
),

recalled as (
    select
        patient_num,
        date_trunc('month', day)::date as month_start,
        count(*) filter (where recall_state = 'kept') as recalls_kept,
        count(*) filter (where recall_state = 'overdue') as recalls_overdue,
        count(*) filter (where recall_state = 'scheduled') as recalls_scheduled,
        count(*) filter (where recall_state = 'due') as recalls_due
    from recall_days
    group by 1, 2
),

months as (
    select
        patient_num,
        month_start
    from done
    union
    select
        patient_num,
        month_start
    from presented
    union
    select
        patient_num,
        month_start
    from visits
    union
    select
        patient_num,
        month_start
    from recalled
)

select
    months.patient_num,
    months.month_start,
    patients.surrogate_key as patient_key,
    patients.clinic_num,
    patients.primary_provider_num,
    coalesce(first_visits.month_start = months.month_start, false) as is_new_patient,
    coalesce(visits.completed_visits, 0)::integer as completed_visits,
    coalesce(visits.broken_appointments, 0)::integer as broken_appointments,
    last_made.starts_at > visits.last_visit_at as is_reappointed,
    coalesce(done.completed_procedures, 0)::integer as completed_procedures,
    coalesce(done.gross_production, 0)::numeric(14, 2) as gross_production,
    coalesce(presented.presented_procedures, 0)::integer as presented_procedures,
    coalesce(presented.accepted_procedures, 0)::integer as accepted_procedures,
    coalesce(presented.presented_amount, 0)::numeric(14, 2) as presented_amount,
    coalesce(presented.accepted_amount, 0)::numeric(14, 2) as accepted_amount,
    coalesce(presented.completed_amount, 0)::numeric(14, 2) as completed_amount,
    coalesce(recalled.recalls_kept, 0)::integer as recalls_kept,
    coalesce(recalled.recalls_overdue, 0)::integer as recalls_overdue,
    coalesce(recalled.recalls_scheduled, 0)::integer as recalls_scheduled,
    coalesce(recalled.recalls_due, 0)::integer as recalls_due,
    {{ ratio('recalled.recalls_kept::numeric', '(recalled.recalls_kept + recalled.recalls_overdue)') }}
        as recall_compliance
from months
inner join patients
    on months.patient_num = patients.patient_num
    and patients.patient_status <> 'Deleted'
left join first_visits on months.patient_num = first_visits.patient_num
left join done on months.patient_num = done.patient_num and months.month_start = done.month_start
left join presented on months.patient_num = presented.patient_num and months.month_start = presented.month_start
left join visits on months.patient_num = visits.patient_num and months.month_start = visits.month_start
left join last_made on months.patient_num = last_made.patient_num
left join recalled on months.patient_num = recalled.patient_num and months.month_start = recalled.month_start
