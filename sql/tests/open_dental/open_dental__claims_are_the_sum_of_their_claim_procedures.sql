-- Claims whose money is not that of their claim procedures, or whose fee says a procedure twice.

{{ config(meta={'dagster': {'ref': {'name': 'open_dental__fact_claim'}}}) }}

with

claims as (
    select * from {{ ref('open_dental__fact_claim') }}
),

claim_procedures as (
    select * from {{ ref('open_dental__fact_claim_procedure') }}
    where claim_num is not null
),

-- Each procedure of a claim once, and what is of no procedure as it stands.
fees as (
    select
        claim_num,
        max(fee_billed) as fee
    from claim_procedures
    group by claim_num, coalesce(procedure_num, -claim_procedure_num)
),

fee_sums as (
    select
        claim_num,
        sum(fee) as fee
    from fees
    group by claim_num
),

sums as (
    select
        claim_num,
        sum(insurance_estimate) as insurance_estimate,
        sum(insurance_paid) as insurance_paid,
        sum(write_off) as write_off,
        sum(deductible_applied) as deductible_applied
    from claim_procedures
    group by claim_num
),

compared as (
    select
        claims.claim_num,
        amounts.what,
        amounts.of_claim,
        coalesce(amounts.of_claim_procedures, 0) as of_claim_procedures
    from claims
    left join sums on claims.claim_num = sums.claim_num
    left join fee_sums on claims.claim_num = fee_sums.claim_num
    cross join lateral (
        values
        ('fee', claims.fee, fee_sums.fee),
        ('insurance_estimate', claims.insurance_estimate, sums.insurance_estimate),
        ('insurance_paid', claims.insurance_paid, sums.insurance_paid),
        ('write_off', claims.write_off, sums.write_off),
        ('deductible_applied', claims.deductible_applied, sums.deductible_applied)
    ) as amounts (what, of_claim, of_claim_procedures)
)

select * from compared
where of_claim <> of_claim_procedures
