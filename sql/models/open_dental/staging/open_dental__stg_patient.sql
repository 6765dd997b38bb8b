-- One row per patient, deleted ones too. Neither names nor addresses nor notes are taken.

with

patients as (
    select * from {{ source('open_dental', 'patient') }}
)

select
    patnum as patient_num,
    {{ foreign_key('guarantor') }} as guarantor_num,
    patstatus as patient_status_code,
    {{ enum_name('PatientStatus', 'patstatus') }} as patient_status,
    gender as gender_code,
    {{ enum_name('PatientGender', 'gender') }} as gender,
    position as position_code,
    {{ enum_name('PatientPosition', 'position') }} as position,
    {{ non_zero_date('birthdate') }} as birthdate,
    {{ non_zero_date('datefirstvisit') }} as first_visit_date,
    {{ non_zero_date('datetimedeceased') }} as deceased_date,
    {{ foreign_key('billingtype') }} as billing_type_num,
    {{ foreign_key('feesched') }} as fee_schedule_num,
    {{ foreign_key('priprov') }} as primary_provider_num,
    {{ foreign_key('secprov') }} as secondary_provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    coalesce(hasins, '') <> '' as has_insurance,
    preferrecallmethod as preferred_recall_method_code,
    {{ enum_name('ContactMethod', 'preferrecallmethod') }} as preferred_recall_method,
    {{ non_zero_date('secdateentry') }} as entered_date,
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
