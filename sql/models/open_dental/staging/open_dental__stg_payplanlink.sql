-- One row per procedure or adjustment that is paid by a dynamic payment plan.

with

links as (
    select * from {{ source('open_dental', 'payplanlink') }}
)

select
    payplanlinknum as payment_plan_link_num,
    {{ reference_to('payplannum') }} as payment_plan_num,
    case when linktype = 2 then {{ reference_to('fkey') }} end as procedure_num,
    case when linktype = 1 then {{ reference_to('fkey') }} end as adjustment_num,
    {{ real_date('secdatetentry') }} as linked_date,
    nullif({{ money('amountoverride') }}, 0) as amount_override
from links
