-- One row per billing period, work week, region, client and employee: overtime paid and billed, and hours that are
-- paid and not billed. NBOT is overtime that is paid and not billed. A sum is null where a shift's part is not known.

{{
    config(
        unique_key=['billing_period_id', 'week_ending', 'region_id', 'client_id', 'employee_id'],
        window_column='week_ending',
    )
}}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
    where (payable_hours <> 0 or billable_hours <> 0) and {{ in_overtime_window('week_ending') }}
),

regions as (
    select * from {{ ref('tracktik__dim_regions') }}
),

clients as (
    select * from {{ ref('tracktik__dim_clients') }}
),

employees as (
    select * from {{ ref('tracktik__dim_employees') }}
),

costed as (
    select
        *,
        pay_overtime_hours - bill_overtime_hours as nbot_hours,
        -- Multiplied before it is divided: a quotient that is cut off can turn half a cent either way.
        case
            when pay_overtime_hours = 0 then 0
            else round(pay_overtime_impact * (pay_overtime_hours - bill_overtime_hours) / pay_overtime_hours, 2)
        end as nbot_cost,
        payable_hours - billable_hours as nonbilled_hours,
        case
            when payable_hours = billable_hours then 0
            else round(pay_rate_regular * (payable_hours - billable_hours), 2)
        end as nonbilled_loss
    from shifts
)

select
    costed.billing_period_id,
    costed.week_ending,
    coalesce(regions.region_id, -1) as region_id,
    {{ latest_value('regions.name', 'costed.start_datetime') }} as region_name,
    costed.client_id,
    {{ latest_value('clients.name', 'costed.start_datetime') }} as client_name,
    costed.employee_id,
    {{
        latest_value("concat_ws(' ', employees.first_name, employees.last_name)", 'costed.start_datetime')
    }} as employee_name,
    count(*) as shifts,
    sum(costed.payable_hours) as payable_hours,
    sum(costed.billable_hours) as billable_hours,
    {{ sum_if_known('costed.pay_overtime_hours') }} as pay_overtime_hours,
    {{ sum_if_known('costed.pay_overtime_impact') }} as pay_overtime_impact,
    {{ sum_if_known('costed.bill_overtime_hours') }} as bill_overtime_hours,
    {{ sum_if_known('costed.bill_overtime_impact') }} as bill_overtime_impact,
    {{ sum_if_known('costed.nbot_hours') }} as nbot_hours,
    {{ sum_if_known('costed.nbot_cost') }} as nbot_cost,
    {{ ratio(sum_if_known('costed.nbot_hours'), 'sum(costed.payable_hours)') }} as nbot_share,
    sum(costed.nonbilled_hours) as nonbilled_hours,
    {{ sum_if_known('costed.nonbilled_loss') }} as nonbilled_loss,
    count(*) filter (where 'incomplete' in (costed.bill_basis, costed.pay_basis)) as incomplete_shifts
from costed
left join regions on costed.region_key = regions.surrogate_key
left join clients on costed.client_key = clients.surrogate_key
left join employees on costed.employee_key = employees.surrogate_key
group by
    costed.billing_period_id,
    costed.week_ending,
    coalesce(regions.region_id, -1),
    costed.client_id,
    costed.employee_id
