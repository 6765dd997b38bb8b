-- One row per procedure, whatever its status: planned, done, existing, referred or deleted. Patient, provider and code
-- are those in force on its date; -1 where there is none.

{{ config(unique_key='procedure_num', indexes=[{'columns': ['procedure_date']}]) }}

with

procedures as (
    select
        *,
        {{ effective_moment('coalesce(procedure_date, planned_date, entered_date)') }} as effective_at
    from {{ ref('open_dental__stg_procedurelog') }}
),

appointments as (
    select * from {{ ref('open_dental__stg_appointment') }}
),

birthdates as (
    select
        patient_num,
        birthdate
    from {{ ref('open_dental__stg_patient') }}
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
),

providers as (
    {{ dimension_versions(ref('open_dental__dim_provider'), 'provider_num') }}
),

codes as (
    {{ dimension_versions(ref('open_dental__dim_procedure_code'), 'code_num') }}
),

clinics as (
    {{ dimension_versions(ref('open_dental__dim_clinic'), 'clinic_num') }}
)

select
    procedures.procedure_num,
    procedures.procedure_date,
    {{ dimension_key('patients') }} as patient_key,
    {{ dimension_key('providers') }} as provider_key,
    {{ dimension_key('codes') }} as code_key,
    {{ dimension_key('clinics') }} as clinic_key,
    procedures.patient_num,
    procedures.provider_num,
    procedures.code_num,
    codes.procedure_code,
    procedures.clinic_num,
    procedures.appointment_num,
    procedures.planned_appointment_num,
    {{ age_on('procedures.procedure_date', 'birthdates.birthdate') }} as patient_age,
    procedures.procedure_status_code,
    procedures.procedure_status,
    coalesce(procedures.procedure_status = 'C', false) as is_completed,
    coalesce(procedures.procedure_status = 'TP', false) as is_treatment_planned,
    coalesce(procedures.procedure_status = 'TPi', false) as is_inactive_plan,
    coalesce(procedures.procedure_status = 'D', false) as is_deleted,
    coalesce(procedures.procedure_status = 'TP' and appointments.appointment_status = 'Scheduled', false)
        as is_scheduled,
    procedures.planned_date,
    case
        when appointments.appointment_status in ('Scheduled', 'Complete') then appointments.schedule_date
    end as scheduled_date,
    procedures.completed_date,
    procedures.entered_date,
    procedures.tooth,
    procedures.tooth_range,
    procedures.surface,
    procedures.fee,
    procedures.quantity,
    procedures.gross_fee,
    case when procedures.procedure_status = 'C' then procedures.gross_fee else 0 end::numeric(14, 2)
        as gross_production,
    procedures.discount,
    procedures.discount_plan_amount,
    procedures.tax
from procedures
left join appointments on procedures.appointment_num = appointments.appointment_num
left join birthdates on procedures.patient_num = birthdates.patient_num
{{ join_dimension('patients', 'patient_num', 'procedures.patient_num', moment='procedures.effective_at') }}
{{ join_dimension('providers', 'provider_num', 'procedures.provider_num', moment='procedures.effective_at') }}
{{ join_dimension('codes', 'code_num', 'procedures.code_num', moment='procedures.effective_at') }}
{{ join_dimension('clinics', 'clinic_num', 'procedures.clinic_num', moment='procedures.effective_at') }}
