-- One row per charge or credit of a payment plan.

with

charges as (
    select * from {{ source('open_dental', 'payplancharge') }}
)

select
    payplanchargenum as payment_plan_charge_num,
    {{ reference_to('payplannum') }} as payment_plan_num,
    {{ reference_to('guarantor') }} as guarantor_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ reference_to('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ reference_to('procnum') }} as procedure_num,
    {{ real_date('chargedate') }} as charge_date,
    coalesce({{ money('principal') }}, 0) as principal,
    coalesce({{ money('interest') }}, 0) as interest,
    coalesce(chargetype = 1, false) as is_credit
from charges
