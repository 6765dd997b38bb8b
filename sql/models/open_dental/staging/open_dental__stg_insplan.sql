-- One row per insurance plan.

with

plans as (
    select * from {{ source('open_dental', 'insplan') }}
)

select
    plannum as plan_num,
    {{ reference_to('carriernum') }} as carrier_num,
    {{ reference_to('employernum') }} as employer_num,
    {{ cleaned('groupname') }} as group_name,
    {{ cleaned('groupnum') }} as group_number,
    coalesce(btrim(plantype), '') as plan_type_code,
    case coalesce(btrim(plantype), '')
        when '' then 'Percentage'
        when 'p' then 'PPO'
        when 'f' then 'Flat'
        when 'c' then 'Capitation'
    end as plan_type,
    {{ reference_to('feesched') }} as fee_schedule_num,
    {{ reference_to('copayfeesched') }} as copay_fee_schedule_num,
    {{ reference_to('allowedfeesched') }} as allowed_fee_schedule_num,
    cobrule as coordination_rule_code,
    {{ decoded('EnumCobRule', 'cobrule') }} as coordination_rule,
    monthrenew as renewal_month,
    {{ flag('ismedical') }} as is_medical,
    {{ flag('ishidden') }} as is_hidden,
    secdatetedit as changed_at
from plans
