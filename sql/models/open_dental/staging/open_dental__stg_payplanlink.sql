-- One row per procedure or adjustment that is paid by a dynamic payment plan.

with

links as (
    select * from {{ source('open_dental', 'payplanlink') }}
)

select
    payplanlinknum as payment_plan_link_num,
    {{ foreign_key('payplannum') }} as payment_plan_num,
    case when linktype = 2 then {{ foreign_key('fkey') }} end as procedure_num,
    case when linktype = 1 then {{ foreign_key('fkey') }} end as adjustment_num,
    {{ non_zero_date('secdatetentry') }} as linked_date,
    nullif({{ money('amountoverride') }}, 0) as amount_override
from links
