-- One row per payment of a patient, or transfer of income from one place of the books to another, which has no type.

with

payments as (
    select * from {{ source('open_dental', 'payment') }}
)

select
    paynum as payment_num,
    {{ foreign_key('patnum') }} as patient_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('paytype') }} as payment_type_num,
    {{ foreign_key('depositnum') }} as deposit_num,
    {{ non_zero_date('paydate') }} as payment_date,
    {{ non_zero_date('dateentry') }} as entered_date,
    coalesce({{ money('payamt') }}, 0) as amount,
    {{ money('merchantfee') }} as merchant_fee,
    coalesce(paytype = 0, false) as is_income_transfer,
    {{ flag('isrecurringcc') }} as is_recurring
from payments
