-- One row per billing period, as the calendar has it.

with

periods as (
    select * from {{ source('tracktik', 'billing_periods') }}
)

select
    period_id as billing_period_id,
    start_date as period_start,
    end_date as period_end,
    fiscal_year,
    quarter,
    period_number
from periods
