-- Employees' work weeks whose overtime is not the hours beyond the threshold. Only weeks under one and the same weekly
-- rule that has one item and was never changed, and of which the service has summed up no shift.

{{ config(meta={'dagster': {'ref': {'name': 'tracktik__fact_shifts'}}}) }}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
    where employee_id <> -1
),

rules as (
    select
        overtime_rule_id,
        min(items.threshold_hours) as threshold_hours
    from {{ ref('tracktik__stg_overtime_rule_items') }} as items
    inner join {{ ref('tracktik__stg_overtime_rules') }} as rules using (overtime_rule_id, effective_at)
    group by overtime_rule_id
    having
        count(*) = 1
        and min(items.item_type) = 'PERIOD'
        and min(rules.period_length) = 'WEEKLY'
        and max(items.in_force_to) = 'infinity'
        and count(rules.not_computed_because) = 0
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
    inner join lateral (
        values
        ('bill', shifts.billable_hours, shifts.bill_overtime_hours, shifts.bill_overtime_rule_id),
        (
            'pay',
            case when shifts.paid_time_off then 0 else shifts.payable_hours end,
            shifts.pay_overtime_hours,
            shifts.pay_overtime_rule_id
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
        and count(overtime_hours) = count(*)
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
