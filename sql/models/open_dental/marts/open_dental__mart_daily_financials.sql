-- One row per date, provider and clinic: what was produced, adjusted, written off and collected. Made whole, whatever
-- the window: a claim of one date is paid on another, and written off on a third.

{{ config(unique_key=['business_date', 'provider_num', 'clinic_num']) }}

with

procedures as (
    select * from {{ ref('open_dental__fact_procedure') }}
    where is_completed
),

adjustments as (
    select * from {{ ref('open_dental__fact_ledger_entry') }}
    where entry_type = 'adjustment'
),

claim_procedures as (
    select * from {{ ref('open_dental__fact_claim_procedure') }}
),

splits as (
    select * from {{ ref('open_dental__fact_payment_split') }}
),

providers as (
    select * from {{ ref('open_dental__dim_provider') }}
    where is_current
),

-- A plan that pays by the head makes its procedures worth less: what it writes off belongs to the day of the procedure.
capitation as (
    select
        procedure_num,
        sum(capitation_write_off) as amount
    from claim_procedures
    where capitation_write_off <> 0
    group by procedure_num
),

amounts as (
    select
        procedure_date as business_date,
        provider_num,
        clinic_num,
        'gross_production' as measure,
        gross_production as amount
    from procedures
    union all
    select
        procedures.procedure_date,
        procedures.provider_num,
        procedures.clinic_num,
        'capitation_write_offs',
        capitation.amount
    from procedures
    inner join capitation on procedures.procedure_num = capitation.procedure_num
    union all
    select
        entry_date,
        provider_num,
        clinic_num,
        'adjustments',
        amount
    from adjustments
    union all
    select
        payment_date,
        provider_num,
        clinic_num,
        'patient_income',
        patient_income
    from splits
    union all
    select
        check_date,
        provider_num,
        clinic_num,
        'insurance_income',
        insurance_income
    from claim_procedures
    union all
    -- The var says by which date write-offs count; any other word than these two is taken for `payment`.
    select
        credited_date,
        provider_num,
        clinic_num,
        'write_offs',
        write_off
    from claim_procedures
    where '{{ var("write_offs_by") }}' not in ('procedure', 'claim') and status_code in (1, 4)
    union all
    select
        procedure_date,
        provider_num,
        clinic_num,
        'write_offs',
        write_off
    from claim_procedures
    where '{{ var("write_offs_by") }}' = 'procedure' and status_code in (0, 1, 4)
    union all
    select
        first_write_off_date,
        provider_num,
        clinic_num,
        'write_offs',
        first_write_off
    from claim_procedures
    where '{{ var("write_offs_by") }}' = 'claim' and status_code in (0, 1, 4)
    union all
    -- What was written off in the end is more or less than what the claim expected.
    select
        credited_date,
        provider_num,
        clinic_num,
        'write_offs',
        write_off - coalesce(first_write_off, 0)
    from claim_procedures
    where '{{ var("write_offs_by") }}' = 'claim' and status_code in (1, 4)
),

sums as (
    select
        -- What has no date at all is as old as can be, and not lost.
        coalesce(business_date, date '1900-01-01') as business_date,
        coalesce(provider_num, 0) as provider_num,
        clinic_num,
        coalesce(sum(amount) filter (where measure = 'gross_production'), 0) as gross_production,
        coalesce(sum(amount) filter (where measure = 'capitation_write_offs'), 0) as capitation_write_offs,
        coalesce(sum(amount) filter (where measure = 'adjustments'), 0) as adjustments,
        coalesce(sum(amount) filter (where measure = 'write_offs'), 0) as write_offs,
        coalesce(sum(amount) filter (where measure = 'patient_income'), 0) as patient_income,
        coalesce(sum(amount) filter (where measure = 'insurance_income'), 0) as insurance_income
    from amounts
    where amount <> 0
    group by coalesce(business_date, date '1900-01-01'), coalesce(provider_num, 0), clinic_num
),

totals as (
    select
        *,
        gross_production - capitation_write_offs as production,
        gross_production - capitation_write_offs + adjustments - write_offs as net_production,
        patient_income + insurance_income as income
    from sums
)

select
    totals.business_date,
    totals.provider_num,
    totals.clinic_num,
    providers.abbreviation as provider,
    totals.gross_production::numeric(14, 2) as gross_production,
    totals.capitation_write_offs::numeric(14, 2) as capitation_write_offs,
    totals.production::numeric(14, 2) as production,
    totals.adjustments::numeric(14, 2) as adjustments,
    totals.write_offs::numeric(14, 2) as write_offs,
    totals.net_production::numeric(14, 2) as net_production,
    totals.patient_income::numeric(14, 2) as patient_income,
    totals.insurance_income::numeric(14, 2) as insurance_income,
    totals.income::numeric(14, 2) as income,
    {{ ratio('totals.income', 'totals.net_production') }} as collection_share
from totals
left join providers on totals.provider_num = providers.provider_num
