-- One row per shift that the service has summed up: what it pays and bills for it.

{{ config(tags=['periodic']) }}

with

documents as (
    select * from {{ source('tracktik_staging', 'shift_summaries') }}
    where {{ is_not_deleted() }} and {{ integer_id() }} is not null
)

select
    documents.id::integer as shift_id,
    documents.slice as period_date,
    {{ json_relation('account') }} as client_id,
    {{ json_relation('employee') }} as employee_id,
    {{ json_relation('region') }} as region_id,
    {{ json_relation('contract') }} as contract_id,
    {{ json_relation('position') }} as position_id,
    {{ json_field('billHours', 'numeric(8, 4)') }} as bill_hours,
    {{ json_field('billOvertimeHours', 'numeric(8, 4)') }} as bill_overtime_hours,
    {{ json_field('billHolidayHours', 'numeric(8, 4)') }} as bill_holiday_hours,
    {{ json_field('billBaseRate', 'numeric(9, 4)') }} as bill_base_rate,
    {{ json_field('billOvertimeImpact', 'numeric(12, 2)') }} as bill_overtime_impact,
    {{ json_field('billHolidayImpact', 'numeric(12, 2)') }} as bill_holiday_impact,
    {{ json_field('billPremiumImpact', 'numeric(12, 2)') }} as bill_premium_impact,
    {{ json_field('billDiscountImpact', 'numeric(12, 2)') }} as bill_discount_impact,
    {{ json_field('billTotal', 'numeric(12, 2)') }} as bill_total,
    {{ json_field('payHours', 'numeric(8, 4)') }} as pay_hours,
    {{ json_field('payOvertimeHours', 'numeric(8, 4)') }} as pay_overtime_hours,
    {{ json_field('payHolidayHours', 'numeric(8, 4)') }} as pay_holiday_hours,
    {{ json_field('payBaseRate', 'numeric(9, 4)') }} as pay_base_rate,
    {{ json_field('payOvertimeImpact', 'numeric(12, 2)') }} as pay_overtime_impact,
    {{ json_field('payHolidayImpact', 'numeric(12, 2)') }} as pay_holiday_impact,
    {{ json_field('payPremiumImpact', 'numeric(12, 2)') }} as pay_premium_impact,
    {{ json_field('payTotal', 'numeric(12, 2)') }} as pay_total
from documents
