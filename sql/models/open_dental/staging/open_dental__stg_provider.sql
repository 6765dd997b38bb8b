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
    {{ reference_to('specialty') }} as specialty_num,
    {{ flag('issecondary') }} as is_hygienist,
    not {{ flag('isnotperson') }} as is_person,
    {{ flag('ishidden') }} as is_hidden,
    {{ flag('ishiddenreport') }} as is_hidden_in_reports,
    provstatus as status_code,
    {{ decoded('ProviderStatus', 'provstatus') }} as status,
    {{ reference_to('feesched') }} as fee_schedule_num,
    {{ reference_to('provnumbillingoverride') }} as billing_override_num,
    nullif({{ money('hourlyprodgoalamt') }}, 0) as hourly_production_goal,
    {{ real_date('dateterm') }} as terminated_date,
    datetstamp as changed_at
from providers
