-- One row per insurance plan.

with

plans as (
    select * from {{ source('open_dental', 'insplan') }}
)

select
    plannum as plan_num,
    {{ foreign_key('carriernum') }} as carrier_num,
    {{ foreign_key('employernum') }} as employer_num,
    {{ cleaned('groupname') }} as group_name,
    {{ cleaned('groupnum') }} as group_number,
    coalesce(btrim(plantype), '') as plan_type_code,
    case coalesce(btrim(plantype), '')
        when '' then 'Percentage'
        when 'p' then 'PPO'
        when 'f' then 'Flat'
        when 'c' then 'Capitation'
    end as plan_type,
    {{ foreign_key('feesched') }} as fee_schedule_num,
    {{ foreign_key('copayfeesched') }} as copay_fee_schedule_num,
    {{ foreign_key('allowedfeesched') }} as allowed_fee_schedule_num,
    cobrule as coordination_rule_code,
    {{ enum_name('EnumCobRule', 'cobrule') }} as coordination_rule,
    monthrenew as renewal_month,
    {{ flag('ismedical') }} as is_medical,
    {{ flag('ishidden') }} as is_hidden,
    secdatetedit as changed_at
from plans
