-- One row per check of an insurance company, or transfer from it.

with

checks as (
    select * from {{ source('open_dental', 'claimpayment') }}
)

select
    claimpaymentnum as claim_payment_num,
    {{ non_zero_date('checkdate') }} as check_date,
    {{ non_zero_date('dateissued') }} as issued_date,
    coalesce({{ money('checkamt') }}, 0) as check_amount,
    {{ foreign_key('paytype') }} as payment_type_num,
    {{ foreign_key('paygroup') }} as payment_group_num,
    {{ foreign_key('depositnum') }} as deposit_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ cleaned('carriername') }} as carrier_name,
    {{ flag('ispartial') }} as is_partial
from checks
