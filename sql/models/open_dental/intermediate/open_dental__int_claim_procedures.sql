-- One row per claim procedure, with what its procedure, its check and its snapshot say of it.

{{ config(materialized='view') }}

with

claim_procedures as (
    select
        *,
        row_number() over (
            partition by claim_num, procedure_num
            order by fee_billed desc, claim_procedure_num asc
        ) as place_on_claim
    from {{ ref('open_dental__stg_claimproc') }}
),

procedures as (
    select * from {{ ref('open_dental__stg_procedurelog') }}
),

checks as (
    select * from {{ ref('open_dental__stg_claimpayment') }}
),

-- A claim procedure has one snapshot; where it has more, the first is the one that was made with the claim.
snapshots as (
    select distinct on (claim_procedure_num)
        claim_procedure_num,
        taken_date,
        write_off
    from {{ ref('open_dental__stg_claimsnapshot') }}
    where claim_procedure_num is not null
    order by claim_procedure_num asc, claim_snapshot_num asc
)

select
    claim_procedures.claim_procedure_num,
    claim_procedures.claim_num,
    claim_procedures.procedure_num,
    claim_procedures.patient_num,
    claim_procedures.provider_num,
    claim_procedures.clinic_num,
    claim_procedures.plan_num,
    claim_procedures.subscription_num,
    claim_procedures.claim_payment_num,
    claim_procedures.payment_plan_num,
    claim_procedures.procedure_date,
    claim_procedures.credited_date,
    claim_procedures.received_date,
    claim_procedures.entered_date,
    claim_procedures.status_code,
    claim_procedures.status,
    claim_procedures.fee_billed,
    claim_procedures.insurance_estimate,
    claim_procedures.insurance_paid,
    claim_procedures.write_off,
    claim_procedures.deductible_applied,
    claim_procedures.estimate_total,
    claim_procedures.estimate_override,
    claim_procedures.estimate_base,
    claim_procedures.write_off_estimate,
    claim_procedures.deductible_estimate,
    claim_procedures.allowed_override,
    claim_procedures.copay,
    claim_procedures.paid_by_other_insurance,
    claim_procedures.covered_percent,
    claim_procedures.code_sent,
    claim_procedures.is_not_billed,
    claim_procedures.is_transfer,
    claim_procedures.is_overpayment,
    checks.check_date,
    -- A supplemental payment is one more row of the same procedure; it was billed once all the same.
    case
        when claim_procedures.claim_num is null then 0
        when claim_procedures.procedure_num is null or claim_procedures.place_on_claim = 1
            then claim_procedures.fee_billed
        else 0
    end as fee_on_claim,
    coalesce(procedures.procedure_status_code = 2, claim_procedures.procedure_num is null) as is_on_ledger,
    snapshots.write_off as first_write_off,
    snapshots.taken_date as first_write_off_date
from claim_procedures
left join procedures on claim_procedures.procedure_num = procedures.procedure_num
left join checks on claim_procedures.claim_payment_num = checks.claim_payment_num
left join snapshots on claim_procedures.claim_procedure_num = snapshots.claim_procedure_num
