-- One row per charge or credit of a payment plan.

with

charges as (
    select * from {{ source('open_dental', 'payplancharge') }}
)

select
    payplanchargenum as payment_plan_charge_num,
    {{ foreign_key('payplannum') }} as payment_plan_num,
    {{ foreign_key('guarantor') }} as guarantor_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('procnum') }} as procedure_num,
    {{ non_zero_date('chargedate') }} as charge_date,
    coalesce({{ money('principal') }}, 0) as principal,
    coalesce({{ money('interest') }}, 0) as interest,
    coalesce(chargetype = 1, false) as is_credit
from charges
