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
    {{ json_field('method') }} as method,
    case when versions.is_deleted then 'it was deleted' else tracktik.why_not_computed(versions.raw_data) end
        as not_computed_because,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
