-- One row per claim procedure: what a plan is billed for a procedure, is expected to pay, and paid. A procedure may
-- have several, of several plans, and of one plan where it paid once more; without a claim it is an estimate.

{{
    config(
        unique_key='claim_procedure_num',
        window_column='procedure_date',
        indexes=[{'columns': ['procedure_date']}],
    )
}}

with

claim_procedures as (
    select * from {{ ref('open_dental__int_claim_procedures') }}
    where {{ in_window('procedure_date') }}
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
),

providers as (
    {{ dimension_versions(ref('open_dental__dim_provider'), 'provider_num') }}
),

insurance_plans as (
    {{ dimension_versions(ref('open_dental__dim_insurance_plan'), 'plan_num') }}
)

select
    claim_procedures.claim_procedure_num,
    claim_procedures.procedure_date,
    claim_procedures.claim_num,
    claim_procedures.procedure_num,
    claim_procedures.patient_num,
    {{ dimension_key('patients') }} as patient_key,
    claim_procedures.provider_num,
    {{ dimension_key('providers') }} as provider_key,
    claim_procedures.clinic_num,
    claim_procedures.plan_num,
    {{ dimension_key('insurance_plans') }} as plan_key,
    claim_procedures.subscription_num,
    claim_procedures.claim_payment_num,
    claim_procedures.payment_plan_num,
    claim_procedures.status_code,
    claim_procedures.status,
    claim_procedures.credited_date,
    claim_procedures.received_date,
    claim_procedures.check_date,
    claim_procedures.fee_billed,
    claim_procedures.fee_on_claim,
    claim_procedures.insurance_estimate,
    claim_procedures.estimate_total,
    claim_procedures.insurance_paid,
    case
        when claim_procedures.status_code in (1, 4) and claim_procedures.check_date is not null
            then claim_procedures.insurance_paid
        else 0
    end::numeric(14, 2) as insurance_income,
    claim_procedures.write_off,
    claim_procedures.write_off_estimate,
    case
        when claim_procedures.status_code = 7 and claim_procedures.is_on_ledger then claim_procedures.write_off
        else 0
    end::numeric(14, 2) as capitation_write_off,
    claim_procedures.first_write_off,
    claim_procedures.first_write_off_date,
    claim_procedures.deductible_applied,
    claim_procedures.deductible_estimate,
    claim_procedures.copay,
    claim_procedures.allowed_override,
    claim_procedures.covered_percent,
    claim_procedures.paid_by_other_insurance,
    claim_procedures.code_sent,
    claim_procedures.is_on_ledger,
    claim_procedures.is_not_billed,
    claim_procedures.is_transfer,
    claim_procedures.is_overpayment
from claim_procedures
{{
    join_dimension(
        'patients', 'patient_num', 'claim_procedures.patient_num',
        moment=day_start('claim_procedures.procedure_date'),
    )
}}
{{
    join_dimension(
        'providers', 'provider_num', 'claim_procedures.provider_num',
        moment=day_start('claim_procedures.procedure_date'),
    )
}}
{{
    join_dimension(
        'insurance_plans', 'plan_num', 'claim_procedures.plan_num',
        moment=day_start('claim_procedures.procedure_date'),
    )
}}
