-- Shifts that lie in another billing period than their date does.

{{ config(meta={'dagster': {'ref': {'name': 'tracktik__fact_shifts'}}}) }}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
),

periods as (
    select * from {{ source('tracktik', 'billing_periods') }}
)

select
    shifts.shift_id,
    shifts.shift_date,
    shifts.billing_period_id,
    periods.start_date,
    periods.end_date
from shifts
left join periods on shifts.billing_period_id = periods.period_id
where (shifts.shift_date between periods.start_date and periods.end_date) is not true
