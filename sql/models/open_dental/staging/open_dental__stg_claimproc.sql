-- One row per claim procedure: what a plan is billed for a procedure, is expected to pay for it, and paid. In most of
-- its columns of money -1 stands for a blank.

with

claim_procedures as (
    select * from {{ source('open_dental', 'claimproc') }}
)

select
    claimprocnum as claim_procedure_num,
    {{ foreign_key('claimnum') }} as claim_num,
    {{ foreign_key('procnum') }} as procedure_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('plannum') }} as plan_num,
    {{ foreign_key('inssubnum') }} as subscription_num,
    {{ foreign_key('claimpaymentnum') }} as claim_payment_num,
    {{ foreign_key('payplannum') }} as payment_plan_num,
    coalesce(
        {{ non_zero_date('procdate') }},
        {{ non_zero_date('datecp') }},
        {{ non_zero_date('secdateentry') }},
        date '1900-01-01'
    ) as procedure_date,
    {{ non_zero_date('datecp') }} as credited_date,
    {{ non_zero_date('dateentry') }} as received_date,
    {{ non_zero_date('secdateentry') }} as entered_date,
    status as status_code,
    {{ enum_name('ClaimProcStatus', 'status') }} as status,
    coalesce({{ money('feebilled') }}, 0) as fee_billed,
    coalesce({{ money('inspayest') }}, 0) as insurance_estimate,
    coalesce({{ money('inspayamt') }}, 0) as insurance_paid,
    coalesce({{ money('writeoff') }}, 0) as write_off,
    coalesce({{ money('dedapplied') }}, 0) as deductible_applied,
    coalesce({{ money_or_null('insesttotaloverride') }}, {{ money('insesttotal') }}) as estimate_total,
    {{ money_or_null('insesttotaloverride') }} as estimate_override,
    {{ money('baseest') }} as estimate_base,
    coalesce({{ money_or_null('writeoffestoverride') }}, {{ money_or_null('writeoffest') }}) as write_off_estimate,
    coalesce({{ money_or_null('dedestoverride') }}, {{ money_or_null('dedest') }}) as deductible_estimate,
    {{ money_or_null('allowedoverride') }} as allowed_override,
    coalesce({{ money_or_null('copayoverride') }}, {{ money_or_null('copayamt') }}) as copay,
    coalesce(
        {{ money_or_null('paidotherinsoverride') }}, {{ money_or_null('paidotherins') }}
    ) as paid_by_other_insurance,
    coalesce(nullif(percentoverride, -1), nullif(percentage, -1)) as covered_percent,
    {{ cleaned('codesent') }} as code_sent,
    {{ flag('nobillins') }} as is_not_billed,
    {{ flag('istransfer') }} as is_transfer,
    {{ flag('isoverpay') }} as is_overpayment
from claim_procedures
