-- Shifts that lie in another billing period than their date does.

{{ config(meta={'dagster': {'ref': {'name': 'tracktik__fact_shifts'}}}) }}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
),

periods as (
    select * from {{ ref('tracktik__stg_billing_periods') }}
)

select
    shifts.shift_id,
    shifts.shift_date,
    shifts.billing_period_id,
    periods.period_start,
    periods.period_end
from shifts
left join periods on shifts.billing_period_id = periods.billing_period_id
where (shifts.shift_date between periods.period_start and periods.period_end) is not true
