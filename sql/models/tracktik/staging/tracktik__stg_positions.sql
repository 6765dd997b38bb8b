-- One row per position and version, with how it was billed and paid.

with

documents as (
    select * from {{ source('tracktik_staging', 'positions') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as position_id,
    {{ json_field('customId') }} as custom_id,
    {{ json_field('name') }} as name,
    -- The service knows no kinds of positions: billingSetting.type says how one is billed. Its name tells.
    case
        when {{ json_field('name') }} ilike '%stand%' then 'STANDBY'
        when {{ json_field('name') }} ilike '%watch%' then 'WATCH'
        else 'REGULAR'
    end as position_type,
    {{ json_relation('account') }} as client_id,
    {{ json_relation('contract') }} as contract_id,
    {{ json_field('beginDate', 'date') }} as begin_date,
    {{ json_field('endDate', 'date') }} as end_date,
    coalesce({{ json_field('nonBillable', 'boolean') }}, false) as non_billable,
    {{ json_field('billingSetting.type') }} as billing_type,
    {{ json_field('billingSetting.rate', 'numeric(9, 4)') }} as bill_rate,
    {{ json_field('billingSetting.discountRate', 'numeric(7, 4)') }} as discount_rate,
    {{ json_field('billingSetting.billBreaks') }} as bill_breaks,
    {{ json_relation('billingSetting.overtimeRule') }} as bill_overtime_rule_id,
    {{ json_field('billingSetting.holiday') }} as bill_holiday,
    {{ json_field('billingSetting.holidayRate', 'numeric(9, 4)') }} as bill_holiday_rate,
    {{ json_field('billingSetting.holidayMultiplier', 'numeric(6, 4)') }} as bill_holiday_multiplier,
    {{ json_relation('billingSetting.holidayGroup') }} as bill_holiday_group_id,
    {{ json_field('payrollSetting.positionHourlyRate', 'numeric(9, 4)') }} as pay_rate,
    {{ json_field('payrollSetting.payBreaks') }} as pay_breaks,
    {{ json_field('payrollSetting.holiday') }} as pay_holiday,
    {{ json_field('payrollSetting.holidayRate', 'numeric(9, 4)') }} as pay_holiday_rate,
    {{ json_field('payrollSetting.holidayMultiplier', 'numeric(6, 4)') }} as pay_holiday_multiplier,
    {{ json_relation('payrollSetting.holidayGroup') }} as pay_holiday_group_id,
    case when versions.is_deleted then 'DELETED' else upper({{ json_field('status') }}) end as status,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
