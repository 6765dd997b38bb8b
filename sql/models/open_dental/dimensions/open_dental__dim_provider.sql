-- One row per provider and version of them; -1 is the provider nobody knows.

{{ config(natural_key='provider_num') }}

with

providers as (
    select * from {{ ref('open_dental__stg_provider') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
)

select
    providers.provider_num,
    providers.abbreviation,
    providers.last_name,
    providers.first_name,
    providers.specialty_num,
    definitions.item_name as specialty,
    providers.is_hygienist,
    providers.is_person,
    providers.is_hidden,
    providers.is_hidden_in_reports,
    providers.status_code,
    providers.status,
    providers.fee_schedule_num,
    providers.billing_override_num,
    providers.hourly_production_goal,
    providers.terminated_date,
    false as is_gone,
    providers.changed_at as effective_at
from providers
left join definitions on providers.specialty_num = definitions.definition_num
