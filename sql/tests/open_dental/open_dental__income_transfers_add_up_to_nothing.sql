-- Transfers of income that bring some in or lose some. Somebody at the practice has to mend them.

{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'open_dental__fact_payment_split'}}}) }}

with

splits as (
    select * from {{ ref('open_dental__fact_payment_split') }}
    where is_income_transfer
)

select
    payment_num,
    min(payment_date) as payment_date,
    sum(amount) as amount
from splits
group by payment_num
having abs(sum(amount)) > 0.01
