-- One row per payment plan: a patient's, or one by which an insurance company's payments are followed.

with

plans as (
    select * from {{ source('open_dental', 'payplan') }}
)

select
    payplannum as payment_plan_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('guarantor') }} as guarantor_num,
    {{ foreign_key('plannum') }} as plan_num,
    {{ non_zero_date('payplandate') }} as plan_date,
    coalesce({{ money('completedamt') }}, 0) as completed_amount,
    {{ flag('plannum') }} as is_of_insurance,
    {{ flag('isdynamic') }} as is_dynamic,
    {{ flag('isclosed') }} as is_closed,
    dynamicpayplantpoption as treatment_planned_option_code
from plans
