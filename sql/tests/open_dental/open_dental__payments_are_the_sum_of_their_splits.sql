-- Payments that are not what their splits add up to. Somebody at the practice has to mend them; nothing here is wrong.

{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'open_dental__fact_payment_split'}}}) }}

with

payments as (
    select * from {{ ref('open_dental__stg_payment') }}
),

splits as (
    select
        payment_num,
        sum(amount) as amount
    from {{ ref('open_dental__fact_payment_split') }}
    group by payment_num
)

select
    payments.payment_num,
    payments.payment_date,
    payments.amount as amount_of_payment,
    coalesce(splits.amount, 0) as amount_of_splits
from payments
left join splits on payments.payment_num = splits.payment_num
where abs(payments.amount - coalesce(splits.amount, 0)) > 0.01
