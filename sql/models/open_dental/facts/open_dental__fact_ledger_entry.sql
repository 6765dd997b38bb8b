-- One row per transaction of an account: what is owed to the practice is the sum of their amounts. What insurance is
-- expected to pay stands beside it, and is no part of it.
-- Built by the date of what the transaction is of: what insurance pays counts later than on the date of its procedure.

{{
    config(
        unique_key=['entry_type', 'source_num'],
        window_column='happens_on',
        indexes=[{'columns': ['happens_on']}],
    )
}}

with

procedures as (
    select * from {{ ref('open_dental__stg_procedurelog') }}
    where procedure_status_code = 2 and gross_fee <> 0
),

claim_procedures as (
    select * from {{ ref('open_dental__int_claim_procedures') }}
    where status_code in (0, 1, 4, 5, 7) and is_on_ledger
),

adjustments as (
    select * from {{ ref('open_dental__stg_adjustment') }}
),

splits as (
    select * from {{ ref('open_dental__stg_paysplit') }}
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
),

providers as (
    {{ dimension_versions(ref('open_dental__dim_provider'), 'provider_num') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
),

plans as (
    select * from {{ ref('open_dental__stg_payplan') }}
),

plan_charges as (
    select * from {{ ref('open_dental__stg_payplancharge') }}
),

plan_links as (
    select * from {{ ref('open_dental__int_plan_link_credits') }}
),

-- How the practice has payment plans counted: 1 not at all but for what was done, 2 charges and credits, 3 credits
-- alone, 4 not at all.
setting as (
    select coalesce(max(preference_value::integer) filter (where preference_value ~ '^[1-4]$'), 1) as version
    from {{ ref('open_dental__stg_preference') }}
    where preference_name = 'PayPlansVersion'
),

entries as (
    select
        'procedure' as entry_type,
        procedure_num as source_num,
        procedure_date as entry_date,
        null::date as happens_on,
        patient_num,
        provider_num,
        clinic_num,
        procedure_num,
        gross_fee as amount,
        0 as insurance_estimate,
        0 as write_off_estimate,
        null::date as expected_from,
        null::date as expected_until
    from procedures
    union all
    -- What came and what is written off of one claim procedure is one transaction; until it comes, it is expected.
    select
        'insurance',
        claim_procedure_num,
        case when status_code = 0 then procedure_date else coalesce(credited_date, procedure_date) end,
        procedure_date,
        patient_num,
        provider_num,
        clinic_num,
        procedure_num,
        case
            when status_code = 0 then 0
            when payment_plan_num is null then -insurance_paid - write_off
            else -write_off
        end,
        case when status_code in (0, 1) then insurance_estimate else 0 end,
        case when status_code in (0, 1) then write_off else 0 end,
        case when status_code in (0, 1) then procedure_date end,
        case when status_code = 1 then coalesce(credited_date, procedure_date) end
    from claim_procedures
    union all
    select
        'adjustment',
        adjustment_num,
        adjustment_date,
        null,
        patient_num,
        provider_num,
        clinic_num,
        procedure_num,
        amount,
        0,
        0,
        null,
        null
    from adjustments
    union all
    select
        'payment',
        splits.split_num,
        splits.split_date,
        null,
        splits.patient_num,
        splits.provider_num,
        splits.clinic_num,
        splits.procedure_num,
        -splits.amount,
        0,
        0,
        null,
        null
    from splits
    cross join setting
    where
        (splits.payment_plan_num is null or setting.version in (2, 4))
        and not exists (
            select 1 from definitions
            where
                definitions.definition_num = splits.unearned_type_num
                and definitions.category_code = 29
                and definitions.item_value is not null
        )
    union all
    -- The whole of a plan is off the account as soon as it is made, and the plan is followed by itself.
    select
        'payment_plan',
        plans.payment_plan_num,
        plans.plan_date,
        null,
        plans.patient_num,
        null,
        0,
        null,
        -plans.completed_amount,
        0,
        0,
        null,
        null
    from plans
    cross join setting
    where setting.version = 1 or (setting.version = 4 and plans.is_of_insurance)
    union all
    -- A credit takes off the account of the patient what the charges put on that of the plan's guarantor.
    select
        'payment_plan_charge',
        plan_charges.payment_plan_charge_num,
        plan_charges.charge_date,
        null,
        case
            when not plan_charges.is_credit then plan_charges.guarantor_num
            when setting.version = 2 then plans.patient_num
            else plan_charges.patient_num
        end,
        plan_charges.provider_num,
        plan_charges.clinic_num,
        plan_charges.procedure_num,
        case
            when plan_charges.is_credit then -plan_charges.principal
            else plan_charges.principal + plan_charges.interest
        end,
        0,
        0,
        null,
        null
    from plan_charges
    inner join plans on plan_charges.payment_plan_num = plans.payment_plan_num
    cross join setting
    where
        (setting.version = 2 and (plan_charges.is_credit or not plans.is_of_insurance))
        or (setting.version = 3 and plan_charges.is_credit)
    union all
    select
        'payment_plan_link',
        plan_links.payment_plan_link_num,
        plan_links.linked_date,
        null,
        plan_links.patient_num,
        plan_links.provider_num,
        plan_links.clinic_num,
        plan_links.procedure_num,
        -plan_links.amount,
        0,
        0,
        null,
        null
    from plan_links
    cross join setting
    where setting.version in (2, 3)
),

dated as (
    select
        entry_type,
        source_num,
        -- Money without a date is as old as can be, and not lost.
        coalesce(entry_date, date '1900-01-01') as entry_date,
        coalesce(happens_on, entry_date, date '1900-01-01') as happens_on,
        patient_num,
        provider_num,
        clinic_num,
        procedure_num,
        amount::numeric(14, 2) as amount,
        insurance_estimate::numeric(14, 2) as insurance_estimate,
        write_off_estimate::numeric(14, 2) as write_off_estimate,
        expected_from,
        expected_until
    from entries
    where amount <> 0 or insurance_estimate <> 0 or write_off_estimate <> 0
)

select
    dated.entry_type,
    dated.source_num,
    dated.entry_date,
    dated.happens_on,
    dated.patient_num,
    {{ dimension_key('patients') }} as patient_key,
    dated.provider_num,
    {{ dimension_key('providers') }} as provider_key,
    dated.clinic_num,
    dated.procedure_num,
    dated.amount,
    dated.insurance_estimate,
    dated.write_off_estimate,
    dated.expected_from,
    dated.expected_until
from dated
{{ join_dimension('patients', 'patient_num', 'dated.patient_num', moment=day_start('dated.entry_date')) }}
{{ join_dimension('providers', 'provider_num', 'dated.provider_num', moment=day_start('dated.entry_date')) }}
-- Plans and what they took over are few and move without a date: they are said whole, whatever the window.
where
    {{ in_window('dated.happens_on') }}
    or dated.entry_type in ('payment_plan', 'payment_plan_link')
