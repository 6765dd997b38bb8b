-- One row per claim, preauthorisations too. Its money is that of its claim procedures; what the claim says itself
-- stands beside it. Patient, plan and provider are those in force on the date of the claim; -1 where there is none.

{{ config(unique_key='claim_num', window_column='claim_date', indexes=[{'columns': ['claim_date']}]) }}

with

claims as (
    select * from {{ ref('open_dental__stg_claim') }}
    where {{ in_window('claim_date') }}
),

claim_procedures as (
    select * from {{ ref('open_dental__int_claim_procedures') }}
    where claim_num is not null
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
),

providers as (
    {{ dimension_versions(ref('open_dental__dim_provider'), 'provider_num') }}
),

insurance_plans as (
    {{ dimension_versions(ref('open_dental__dim_insurance_plan'), 'plan_num') }}
),

sums as (
    select
        claim_num,
        count(distinct procedure_num) as procedures,
        sum(fee_on_claim) as fee,
        sum(insurance_estimate) as insurance_estimate,
        sum(insurance_paid) as insurance_paid,
        sum(insurance_paid) filter (where check_date is not null) as insurance_paid_by_check,
        sum(write_off) as write_off,
        sum(deductible_applied) as deductible_applied,
        max(check_date) as last_check_date
    from claim_procedures
    group by claim_num
)

select
    claims.claim_num,
    claims.claim_date,
    claims.patient_num,
    {{ dimension_key('patients') }} as patient_key,
    claims.plan_num,
    {{ dimension_key('insurance_plans') }} as plan_key,
    claims.subscription_num,
    claims.treating_provider_num,
    {{ dimension_key('providers') }} as treating_provider_key,
    claims.billing_provider_num,
    claims.clinic_num,
    claims.claim_status,
    claims.claim_type,
    claims.is_preauthorization,
    claims.is_orthodontic,
    claims.service_date,
    claims.first_sent_date,
    claims.sent_date,
    claims.received_date,
    sums.last_check_date,
    claims.first_sent_date - claims.service_date as days_to_sent,
    claims.received_date - claims.first_sent_date as days_to_received,
    coalesce(sums.procedures, 0) as procedures,
    coalesce(sums.fee, 0)::numeric(14, 2) as fee,
    coalesce(sums.insurance_estimate, 0)::numeric(14, 2) as insurance_estimate,
    coalesce(sums.insurance_paid, 0)::numeric(14, 2) as insurance_paid,
    coalesce(sums.insurance_paid_by_check, 0)::numeric(14, 2) as insurance_paid_by_check,
    coalesce(sums.write_off, 0)::numeric(14, 2) as write_off,
    coalesce(sums.deductible_applied, 0)::numeric(14, 2) as deductible_applied,
    claims.claim_fee as stated_fee,
    claims.insurance_paid as stated_insurance_paid,
    claims.write_off as stated_write_off
from claims
left join sums on claims.claim_num = sums.claim_num
{{ join_dimension('patients', 'patient_num', 'claims.patient_num', moment=day_start('claims.claim_date')) }}
{{ join_dimension('providers', 'provider_num', 'claims.treating_provider_num', moment=day_start('claims.claim_date')) }}
{{ join_dimension('insurance_plans', 'plan_num', 'claims.plan_num', moment=day_start('claims.claim_date')) }}
