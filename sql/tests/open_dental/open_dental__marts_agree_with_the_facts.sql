-- Sums of a day that the mart of the daily money has otherwise than the facts it was made of.

{{ config(meta={'dagster': {'ref': {'name': 'open_dental__mart_daily_financials'}}}) }}

with

days as (
    select
        business_date,
        sum(gross_production) as gross_production,
        sum(adjustments) as adjustments,
        sum(patient_income) as patient_income,
        sum(insurance_income) as insurance_income
    from {{ ref('open_dental__mart_daily_financials') }}
    group by business_date
),

written_off as (
    select
        coalesce(sum(write_offs), 0) as write_offs,
        coalesce(sum(capitation_write_offs), 0) as capitation
    from {{ ref('open_dental__mart_daily_financials') }}
),

to_be_written_off as (
    select
        coalesce(sum(capitation_write_off), 0) as capitation,
        coalesce(sum(write_off) filter (where status_code in (1, 4)), 0)
        + case '{{ var("write_offs_by") }}'
            when 'procedure' then coalesce(sum(write_off) filter (where status_code = 0), 0)
            when 'claim' then coalesce(sum(first_write_off) filter (where status_code = 0), 0)
            else 0
        end as write_offs
    from {{ ref('open_dental__fact_claim_procedure') }}
),

procedures as (
    select
        coalesce(procedure_date, date '1900-01-01') as business_date,
        sum(gross_fee) as gross_production
    from {{ ref('open_dental__fact_procedure') }}
    where procedure_status_code = 2
    group by coalesce(procedure_date, date '1900-01-01')
),

adjustments as (
    select
        entry_date as business_date,
        sum(amount) as adjustments
    from {{ ref('open_dental__fact_ledger_entry') }}
    where entry_type = 'adjustment'
    group by entry_date
),

splits as (
    select
        payment_date as business_date,
        sum(patient_income) as patient_income
    from {{ ref('open_dental__fact_payment_split') }}
    group by payment_date
),

checks as (
    select
        check_date as business_date,
        sum(insurance_income) as insurance_income
    from {{ ref('open_dental__fact_claim_procedure') }}
    where check_date is not null
    group by check_date
),

by_day as (
    select
        business_date,
        sums.what,
        coalesce(sums.of_mart, 0) as of_mart,
        coalesce(sums.of_fact, 0) as of_fact
    from days
    full join procedures using (business_date)
    full join adjustments using (business_date)
    full join splits using (business_date)
    full join checks using (business_date)
    cross join lateral (
        values
        ('gross production', days.gross_production, procedures.gross_production),
        ('adjustments', days.adjustments, adjustments.adjustments),
        ('income of patients', days.patient_income, splits.patient_income),
        ('income of insurance', days.insurance_income, checks.insurance_income)
    ) as sums (what, of_mart, of_fact)
),

over_all_days as (
    select
        sums.what,
        sums.of_mart,
        sums.of_fact
    from written_off
    cross join to_be_written_off
    cross join lateral (
        values
        ('write-offs', written_off.write_offs, to_be_written_off.write_offs),
        ('write-offs of capitation', written_off.capitation, to_be_written_off.capitation)
    ) as sums (what, of_mart, of_fact)
)

select
    business_date,
    what,
    of_mart,
    of_fact
from by_day
where of_mart <> of_fact
union all
select
    null,
    what,
    of_mart,
    of_fact
from over_all_days
where of_mart <> of_fact
