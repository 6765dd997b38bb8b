-- What cannot be computed, and is null in the fact: by position for what is billed, by employee for what is paid.
-- Nobody knows the overtime rule then, or it counts in a way that the service does not describe, or there is no rate.

{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'tracktik__fact_shifts'}}}) }}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
)

select
    'bill' as side,
    position_id,
    null as employee_id,
    bill_overtime_rule_id as overtime_rule_id,
    count(*) as shifts,
    min(shift_date) as first_date,
    max(shift_date) as last_date
from shifts
where bill_basis = 'incomplete'
group by position_id, bill_overtime_rule_id
union all
select
    'pay',
    null,
    employee_id,
    pay_overtime_rule_id,
    count(*),
    min(shift_date),
    max(shift_date)
from shifts
where pay_basis = 'incomplete'
group by employee_id, pay_overtime_rule_id
