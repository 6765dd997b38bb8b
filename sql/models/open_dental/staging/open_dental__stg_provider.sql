-- One row per provider, hidden and deleted ones too.

with

providers as (
    select * from {{ source('open_dental', 'provider') }}
)

select
    provnum as provider_num,
    {{ cleaned('abbr') }} as abbreviation,
    {{ cleaned('lname') }} as last_name,
    {{ cleaned('fname') }} as first_name,
    {{ foreign_key('specialty') }} as specialty_num,
    {{ flag('issecondary') }} as is_hygienist,
    not {{ flag('isnotperson') }} as is_person,
    {{ flag('ishidden') }} as is_hidden,
    {{ flag('ishiddenreport') }} as is_hidden_in_reports,
    provstatus as status_code,
    {{ enum_name('ProviderStatus', 'provstatus') }} as status,
    {{ foreign_key('feesched') }} as fee_schedule_num,
    {{ foreign_key('provnumbillingoverride') }} as billing_override_num,
    nullif({{ money('hourlyprodgoalamt') }}, 0) as hourly_production_goal,
    {{ non_zero_date('dateterm') }} as terminated_date,
    datetstamp as changed_at
from providers
