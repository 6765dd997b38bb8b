-- One row per patient and subscription that covers them, and version of it; one that was dropped is gone and not
-- removed. -1 is the coverage nobody knows.

{{ config(natural_key='patient_plan_num') }}

with

coverages as (
    select * from {{ ref('open_dental__stg_patplan') }}
),

subscriptions as (
    select * from {{ ref('open_dental__stg_inssub') }}
)

select
    coverages.patient_plan_num,
    coverages.patient_num,
    coverages.subscription_num,
    subscriptions.plan_num,
    subscriptions.subscriber_num,
    coverages.relationship_code,
    coverages.relationship,
    coverages.ordinal,
    coverages.is_pending,
    subscriptions.effective_date,
    subscriptions.terminated_date,
    false as is_gone,
    greatest(coverages.changed_at, subscriptions.changed_at) as effective_at
from coverages
left join subscriptions on coverages.subscription_num = subscriptions.subscription_num
