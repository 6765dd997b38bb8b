-- One row per payment plan: a patient's, or one by which an insurance company's payments are followed.

with

plans as (
    select * from {{ source('open_dental', 'payplan') }}
)

select
    payplannum as payment_plan_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ reference_to('guarantor') }} as guarantor_num,
    {{ reference_to('plannum') }} as plan_num,
    {{ real_date('payplandate') }} as plan_date,
    coalesce({{ money('completedamt') }}, 0) as completed_amount,
    {{ flag('plannum') }} as is_of_insurance,
    {{ flag('isdynamic') }} as is_dynamic,
    {{ flag('isclosed') }} as is_closed,
    dynamicpayplantpoption as treatment_planned_option_code
from plans
