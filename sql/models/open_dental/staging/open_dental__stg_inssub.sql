-- One row per subscription: a patient who holds a plan.

with

subscriptions as (
    select * from {{ source('open_dental', 'inssub') }}
)

select
    inssubnum as subscription_num,
    {{ foreign_key('plannum') }} as plan_num,
    {{ foreign_key('subscriber') }} as subscriber_num,
    {{ non_zero_date('dateeffective') }} as effective_date,
    {{ non_zero_date('dateterm') }} as terminated_date,
    secdatetedit as changed_at
from subscriptions
