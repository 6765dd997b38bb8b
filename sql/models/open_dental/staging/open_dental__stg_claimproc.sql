-- One row per claim procedure: what a plan is billed for a procedure, is expected to pay for it, and paid. In most of
-- its columns of money -1 stands for a blank.

with

claim_procedures as (
    select * from {{ source('open_dental', 'claimproc') }}
)

select
    claimprocnum as claim_procedure_num,
    {{ reference_to('claimnum') }} as claim_num,
    {{ reference_to('procnum') }} as procedure_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ reference_to('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ reference_to('plannum') }} as plan_num,
    {{ reference_to('inssubnum') }} as subscription_num,
    {{ reference_to('claimpaymentnum') }} as claim_payment_num,
    {{ reference_to('payplannum') }} as payment_plan_num,
    coalesce(
        {{ real_date('procdate') }}, {{ real_date('datecp') }}, {{ real_date('secdateentry') }}, date '1900-01-01'
    ) as procedure_date,
    {{ real_date('datecp') }} as credited_date,
    {{ real_date('dateentry') }} as received_date,
    {{ real_date('secdateentry') }} as entered_date,
    status as status_code,
    {{ decoded('ClaimProcStatus', 'status') }} as status,
    coalesce({{ money('feebilled') }}, 0) as fee_billed,
    coalesce({{ money('inspayest') }}, 0) as insurance_estimate,
    coalesce({{ money('inspayamt') }}, 0) as insurance_paid,
    coalesce({{ money('writeoff') }}, 0) as write_off,
    coalesce({{ money('dedapplied') }}, 0) as deductible_applied,
    coalesce({{ money_or_blank('insesttotaloverride') }}, {{ money('insesttotal') }}) as estimate_total,
    {{ money_or_blank('insesttotaloverride') }} as estimate_override,
    {{ money('baseest') }} as estimate_base,
    coalesce({{ money_or_blank('writeoffestoverride') }}, {{ money_or_blank('writeoffest') }}) as write_off_estimate,
    coalesce({{ money_or_blank('dedestoverride') }}, {{ money_or_blank('dedest') }}) as deductible_estimate,
    {{ money_or_blank('allowedoverride') }} as allowed_override,
    coalesce({{ money_or_blank('copayoverride') }}, {{ money_or_blank('copayamt') }}) as copay,
    coalesce(
        {{ money_or_blank('paidotherinsoverride') }}, {{ money_or_blank('paidotherins') }}
    ) as paid_by_other_insurance,
    coalesce(nullif(percentoverride, -1), nullif(percentage, -1)) as covered_percent,
    {{ cleaned('codesent') }} as code_sent,
    {{ flag('nobillins') }} as is_not_billed,
    {{ flag('istransfer') }} as is_transfer,
    {{ flag('isoverpay') }} as is_overpayment
from claim_procedures
