-- One row per patient and version of what is known of them; -1 is the patient nobody knows. Of the names of billing
-- type and fee schedule only today's are kept.

{{
    config(
        natural_key='patient_num',
        tracked=[
            'guarantor_num', 'patient_status_code', 'patient_status', 'gender_code', 'gender', 'position_code', 'position',
            'birth_year', 'first_visit_date', 'deceased_date', 'billing_type_num', 'fee_schedule_num',
            'primary_provider_num', 'secondary_provider_num', 'clinic_num', 'has_insurance', 'merged_into_patient_num',
            'is_merged_away', 'clone_of_patient_num',
        ],
    )
}}

with

patients as (
    select * from {{ ref('open_dental__stg_patient') }}
),

links as (
    select * from {{ ref('open_dental__stg_patientlink') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
),

fee_schedules as (
    select * from {{ ref('open_dental__stg_feesched') }}
),

-- Who was merged away, and into whom; the last time, where it happened again.
merged as (
    select distinct on (from_patient_num)
        from_patient_num as patient_num,
        to_patient_num as merged_into_patient_num
    from links
    where link_type = 'Merge'
    order by from_patient_num asc, linked_at desc nulls last, patient_link_num desc
),

cloned as (
    select distinct on (to_patient_num)
        to_patient_num as patient_num,
        from_patient_num as clone_of_patient_num
    from links
    where link_type = 'Clone'
    order by to_patient_num asc, linked_at desc nulls last, patient_link_num desc
)

select
    patients.patient_num,
    coalesce(patients.guarantor_num, patients.patient_num) as guarantor_num,
    patients.patient_status_code,
    patients.patient_status,
    patients.gender_code,
    patients.gender,
    patients.position_code,
    patients.position,
    extract(year from patients.birthdate)::integer as birth_year,
    patients.first_visit_date,
    patients.deceased_date,
    patients.billing_type_num,
    definitions.item_name as billing_type,
    patients.fee_schedule_num,
    fee_schedules.name as fee_schedule,
    patients.primary_provider_num,
    patients.secondary_provider_num,
    patients.clinic_num,
    patients.has_insurance,
    patients.preferred_recall_method_code,
    patients.preferred_recall_method,
    merged.merged_into_patient_num,
    merged.patient_num is not null as is_merged_away,
    cloned.clone_of_patient_num,
    patients.entered_date,
    false as is_gone,
    patients.changed_at as effective_at
from patients
left join merged on patients.patient_num = merged.patient_num
left join cloned on patients.patient_num = cloned.patient_num
left join definitions on patients.billing_type_num = definitions.definition_num
left join fee_schedules on patients.fee_schedule_num = fee_schedules.fee_schedule_num
