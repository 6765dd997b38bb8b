-- Employees' work weeks whose overtime is not the hours beyond the threshold. Only weeks under one and the same rule
-- that has one item and was never changed, and of which the service has summed up no shift.

{{ config(meta={'dagster': {'ref': {'name': 'tracktik__fact_shifts'}}}) }}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
    where employee_id <> -1
),

positions as (
    select * from {{ ref('tracktik__dim_positions') }}
),

rules as (
    select
        overtime_rule_id,
        min(threshold_hours) as threshold_hours
    from {{ ref('tracktik__stg_overtime_rule_items') }}
    group by overtime_rule_id
    having
        count(*) = 1
        and min(item_type) = 'PERIOD'
        and min(rate_type) = 'MULTIPLIER'
        and max(in_force_to) = 'infinity'
        and count(rate_multiplier) = 1
),

sides as (
    select
        shifts.employee_id,
        shifts.week_ending,
        shifts.bill_basis,
        side.name as side,
        side.hours,
        side.overtime_hours,
        side.overtime_rule_id
    from shifts
    inner join positions on shifts.position_key = positions.surrogate_key
    inner join lateral (
        values
        ('bill', shifts.billable_hours, shifts.bill_overtime_hours, positions.bill_overtime_rule_id),
        (
            'pay',
            case when shifts.paid_time_off then 0 else shifts.payable_hours end,
            shifts.pay_overtime_hours,
            positions.pay_overtime_rule_id
        )
    ) as side (name, hours, overtime_hours, overtime_rule_id) on true
    where side.hours <> 0 or side.overtime_hours <> 0
),

weeks as (
    select
        employee_id,
        week_ending,
        side,
        min(overtime_rule_id) as overtime_rule_id,
        sum(hours) as hours,
        sum(overtime_hours) as overtime_hours
    from sides
    group by employee_id, week_ending, side
    having
        count(distinct overtime_rule_id) = 1
        and count(overtime_rule_id) = count(*)
        and bool_and(bill_basis <> 'summary')
)

select
    weeks.employee_id,
    weeks.week_ending,
    weeks.side,
    weeks.hours,
    weeks.overtime_hours,
    rules.threshold_hours
from weeks
inner join rules on weeks.overtime_rule_id = rules.overtime_rule_id
where weeks.overtime_hours <> greatest(weeks.hours - rules.threshold_hours, 0)
