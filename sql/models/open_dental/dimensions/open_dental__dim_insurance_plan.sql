-- One row per insurance plan and version of it, with its carrier and employer; -1 is the plan nobody knows, and none.

{{ config(natural_key='plan_num') }}

with

plans as (
    select * from {{ ref('open_dental__stg_insplan') }}
),

carriers as (
    select * from {{ ref('open_dental__stg_carrier') }}
),

employers as (
    select * from {{ ref('open_dental__stg_employer') }}
),

fee_schedules as (
    select * from {{ ref('open_dental__stg_feesched') }}
)

select
    plans.plan_num,
    plans.carrier_num,
    carriers.name as carrier_name,
    carriers.electronic_id,
    plans.employer_num,
    employers.name as employer_name,
    plans.group_name,
    plans.group_number,
    plans.plan_type_code,
    plans.plan_type,
    plans.fee_schedule_num,
    fee_schedules.name as fee_schedule,
    plans.copay_fee_schedule_num,
    plans.allowed_fee_schedule_num,
    plans.coordination_rule_code,
    plans.coordination_rule,
    plans.renewal_month,
    plans.is_medical,
    plans.is_hidden,
    false as is_gone,
    greatest(plans.changed_at, carriers.changed_at) as effective_at
from plans
left join carriers on plans.carrier_num = carriers.carrier_num
left join employers on plans.employer_num = employers.employer_num
left join fee_schedules on plans.fee_schedule_num = fee_schedules.fee_schedule_num
