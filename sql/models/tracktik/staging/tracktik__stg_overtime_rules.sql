-- One row per overtime rule and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'overtime_rules') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as overtime_rule_id,
    {{ json_field('name') }} as name,
    {{ json_field('periodLength') }} as period_length,
    {{ json_field('ruleType') }} as rule_type,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
