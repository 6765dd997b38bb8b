-- One row per subscription: a patient who holds a plan.

with

subscriptions as (
    select * from {{ source('open_dental', 'inssub') }}
)

select
    inssubnum as subscription_num,
    {{ reference_to('plannum') }} as plan_num,
    {{ reference_to('subscriber') }} as subscriber_num,
    {{ real_date('dateeffective') }} as effective_date,
    {{ real_date('dateterm') }} as terminated_date,
    secdatetedit as changed_at
from subscriptions
