-- One row per split: which part of a payment is for whom, and for what.

with

splits as (
    select * from {{ source('open_dental', 'paysplit') }}
)

select
    splitnum as split_num,
    {{ foreign_key('paynum') }} as payment_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('procnum') }} as procedure_num,
    {{ foreign_key('adjnum') }} as adjustment_num,
    {{ foreign_key('payplannum') }} as payment_plan_num,
    {{ foreign_key('payplanchargenum') }} as payment_plan_charge_num,
    {{ foreign_key('unearnedtype') }} as unearned_type_num,
    {{ foreign_key('fsplitnum') }} as from_split_num,
    coalesce({{ non_zero_date('datepay') }}, {{ non_zero_date('dateentry') }}, date '1900-01-01') as split_date,
    {{ non_zero_date('procdate') }} as procedure_date,
    {{ non_zero_date('dateentry') }} as entered_date,
    coalesce({{ money('splitamt') }}, 0) as amount,
    {{ flag('isdiscount') }} as is_discount
from splits
