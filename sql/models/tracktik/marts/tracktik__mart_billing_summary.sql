-- One row per billing period, region and client: shifts, hours, and what is billed for them. A sum is null where a
-- shift's part is not known.

{{
    config(
        unique_key=['billing_period_id', 'region_id', 'client_id'],
        window_column='period_start',
        window_days_before=var('longest_period_days'),
    )
}}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
    where
        {{
            in_window(
                'week_ending', var('longest_period_days'), var('longest_period_days') | int + 6, overtime_window()
            )
        }}
),

regions as (
    select * from {{ ref('tracktik__dim_regions') }}
),

clients as (
    select * from {{ ref('tracktik__dim_clients') }}
)

select
    shifts.billing_period_id,
    shifts.period_start,
    shifts.period_end,
    coalesce(regions.region_id, -1) as region_id,
    {{ latest_value('regions.name', 'shifts.start_datetime') }} as region_name,
    shifts.client_id,
    {{ latest_value('clients.name', 'shifts.start_datetime') }} as client_name,
    count(*) filter (where shifts.status = 'ACTIVE') as shifts,
    count(*) filter (where shifts.status = 'ACTIVE' and shifts.is_vacant) as vacant_shifts,
    count(*) filter (where shifts.status is distinct from 'ACTIVE') as cancelled_shifts,
    coalesce(sum(shifts.scheduled_hours) filter (where shifts.status = 'ACTIVE'), 0) as scheduled_hours,
    sum(shifts.clocked_hours) as clocked_hours,
    sum(shifts.approved_hours) as approved_hours,
    sum(shifts.billable_hours) as billable_hours,
    sum(shifts.payable_hours) as payable_hours,
    {{ sum_if_known('shifts.bill_overtime_hours') }} as bill_overtime_hours,
    {{ sum_if_known('shifts.bill_overtime_impact') }} as bill_overtime_impact,
    sum(shifts.bill_holiday_hours) as bill_holiday_hours,
    {{ sum_if_known('shifts.bill_holiday_impact') }} as bill_holiday_impact,
    sum(shifts.bill_premium_impact) as bill_premium_impact,
    sum(shifts.bill_discount_impact) as bill_discount_impact,
    {{ sum_if_known('shifts.bill_total') }} as bill_total,
    {{ ratio(sum_if_known('shifts.bill_total'), 'sum(shifts.billable_hours)') }} as bill_rate_effective,
    count(*) filter (where shifts.bill_basis = 'incomplete') as incomplete_shifts
from shifts
left join regions on shifts.region_key = regions.surrogate_key
left join clients on shifts.client_key = clients.surrogate_key
where {{ in_replaced_window('shifts') }}
group by
    shifts.billing_period_id,
    shifts.period_start,
    shifts.period_end,
    coalesce(regions.region_id, -1),
    shifts.client_id
