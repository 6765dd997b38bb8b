-- One row per patient, deleted ones too. Neither names nor addresses nor notes are taken.

with

patients as (
    select * from {{ source('open_dental', 'patient') }}
)

select
    patnum as patient_num,
    {{ reference_to('guarantor') }} as guarantor_num,
    patstatus as patient_status_code,
    {{ decoded('PatientStatus', 'patstatus') }} as patient_status,
    gender as gender_code,
    {{ decoded('PatientGender', 'gender') }} as gender,
    position as position_code,
    {{ decoded('PatientPosition', 'position') }} as position,
    {{ real_date('birthdate') }} as birthdate,
    {{ real_date('datefirstvisit') }} as first_visit_date,
    {{ real_date('datetimedeceased') }} as deceased_date,
    {{ reference_to('billingtype') }} as billing_type_num,
    {{ reference_to('feesched') }} as fee_schedule_num,
    {{ reference_to('priprov') }} as primary_provider_num,
    {{ reference_to('secprov') }} as secondary_provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    coalesce(hasins, '') <> '' as has_insurance,
    preferrecallmethod as preferred_recall_method_code,
    {{ decoded('ContactMethod', 'preferrecallmethod') }} as preferred_recall_method,
    {{ real_date('secdateentry') }} as entered_date,
    {{ money('bal_0_30') }} as balance_0_30,
    {{ money('bal_31_60') }} as balance_31_60,
    {{ money('bal_61_90') }} as balance_61_90,
    {{ money('balover90') }} as balance_over_90,
    {{ money('baltotal') }} as balance_total,
    {{ money('insest') }} as insurance_estimate,
    {{ money('estbalance') }} as estimated_balance,
    {{ money('payplandue') }} as payment_plan_due,
    datetstamp as changed_at
from patients
