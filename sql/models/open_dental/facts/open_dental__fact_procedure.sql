-- One row per procedure, whatever its status: planned, done, existing, referred or deleted. Patient, provider and code
-- are those in force on its date; -1 where there is none.

{{ config(unique_key='procedure_num', indexes=[{'columns': ['procedure_date']}]) }}

with

procedures as (
    select
        *,
        {{ moment_of('coalesce(procedure_date, planned_date, entered_date)') }} as counts_at
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
    {{ members_of(ref('open_dental__dim_patient'), 'patient_num') }}
),

providers as (
    {{ members_of(ref('open_dental__dim_provider'), 'provider_num') }}
),

codes as (
    {{ members_of(ref('open_dental__dim_procedure_code'), 'code_num') }}
),

clinics as (
    {{ members_of(ref('open_dental__dim_clinic'), 'clinic_num') }}
)

select
    procedures.procedure_num,
    procedures.procedure_date,
    coalesce(patients.surrogate_key, -1) as patient_key,
    coalesce(providers.surrogate_key, -1) as provider_key,
    coalesce(codes.surrogate_key, -1) as code_key,
    coalesce(clinics.surrogate_key, -1) as clinic_key,
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
left join patients
    on procedures.patient_num = patients.patient_num
    and {{ in_force_at('patients', 'procedures.counts_at') }}
left join providers
    on procedures.provider_num = providers.provider_num
    and {{ in_force_at('providers', 'procedures.counts_at') }}
left join codes
    on procedures.code_num = codes.code_num
    and {{ in_force_at('codes', 'procedures.counts_at') }}
left join clinics
    on procedures.clinic_num = clinics.clinic_num
    and {{ in_force_at('clinics', 'procedures.counts_at') }}
