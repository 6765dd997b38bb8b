-- One row per split: which part of a payment is for whom, and for what.

with

splits as (
    select * from {{ source('open_dental', 'paysplit') }}
)

select
    splitnum as split_num,
    {{ reference_to('paynum') }} as payment_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ reference_to('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ reference_to('procnum') }} as procedure_num,
    {{ reference_to('adjnum') }} as adjustment_num,
    {{ reference_to('payplannum') }} as payment_plan_num,
    {{ reference_to('payplanchargenum') }} as payment_plan_charge_num,
    {{ reference_to('unearnedtype') }} as unearned_type_num,
    {{ reference_to('fsplitnum') }} as from_split_num,
    coalesce({{ real_date('datepay') }}, {{ real_date('dateentry') }}, date '1900-01-01') as split_date,
    {{ real_date('procdate') }} as procedure_date,
    {{ real_date('dateentry') }} as entered_date,
    coalesce({{ money('splitamt') }}, 0) as amount,
    {{ flag('isdiscount') }} as is_discount
from splits
