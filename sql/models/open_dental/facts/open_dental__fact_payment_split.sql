-- One row per split of a payment: how much of it is for whom, and for what.

{{ config(unique_key='split_num', window_column='split_date', indexes=[{'columns': ['split_date']}]) }}

with

splits as (
    select * from {{ ref('open_dental__stg_paysplit') }}
    where {{ in_window('split_date') }}
),

payments as (
    select * from {{ ref('open_dental__stg_payment') }}
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

dated as (
    select
        splits.*,
        coalesce(payments.payment_date, splits.split_date) as payment_date,
        payments.payment_type_num,
        coalesce(payments.is_income_transfer, false) as is_income_transfer
    from splits
    left join payments on splits.payment_num = payments.payment_num
),

-- A type of unearned income that has a value is one that the practice keeps off its accounts.
hidden_types as (
    select definition_num from definitions
    where category_code = 29 and item_value is not null
)

select
    dated.split_num,
    dated.payment_date,
    dated.payment_num,
    dated.patient_num,
    {{ dimension_key('patients') }} as patient_key,
    dated.provider_num,
    {{ dimension_key('providers') }} as provider_key,
    dated.clinic_num,
    dated.procedure_num,
    dated.adjustment_num,
    dated.payment_plan_num,
    dated.payment_plan_charge_num,
    dated.from_split_num,
    dated.payment_type_num,
    dated.unearned_type_num,
    dated.split_date,
    dated.procedure_date,
    dated.entered_date,
    dated.amount,
    dated.unearned_type_num is not null as is_unearned,
    hidden_types.definition_num is not null as is_hidden_unearned,
    dated.is_income_transfer,
    dated.is_discount,
    case
        when hidden_types.definition_num is null and not dated.is_discount then dated.amount
        else 0
    end::numeric(14, 2) as patient_income
from dated
left join hidden_types on dated.unearned_type_num = hidden_types.definition_num
{{ join_dimension('patients', 'patient_num', 'dated.patient_num', moment=day_start('dated.payment_date')) }}
{{ join_dimension('providers', 'provider_num', 'dated.provider_num', moment=day_start('dated.payment_date')) }}
