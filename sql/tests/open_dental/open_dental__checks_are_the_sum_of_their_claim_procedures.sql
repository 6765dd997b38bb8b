-- Checks of insurance companies that are not what the claim procedures on them add up to, those left out of which the
-- practice itself says that some is still to be entered. Somebody there has to mend them.

{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'open_dental__fact_claim_procedure'}}}) }}

with

checks as (
    select * from {{ ref('open_dental__stg_claimpayment') }}
    where not is_partial
),

paid as (
    select
        claim_payment_num,
        sum(insurance_paid) as amount
    from {{ ref('open_dental__fact_claim_procedure') }}
    where claim_payment_num is not null
    group by claim_payment_num
)

select
    checks.claim_payment_num,
    checks.check_date,
    checks.check_amount,
    coalesce(paid.amount, 0) as amount_of_claim_procedures
from checks
left join paid on checks.claim_payment_num = paid.claim_payment_num
where abs(checks.check_amount - coalesce(paid.amount, 0)) > 0.01
