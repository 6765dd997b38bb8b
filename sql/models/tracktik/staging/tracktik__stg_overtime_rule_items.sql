-- One row per overtime rule, version and item of it: beyond so many hours, so much. A rule that was deleted has none.

with

documents as (
    select * from {{ source('tracktik_staging', 'overtime_rules') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as overtime_rule_id,
    items.place::integer as place,
    {{ json_field('id', 'integer', 'items.document') }} as item_id,
    upper({{ json_field('ruleType', 'text', 'items.document') }}) as item_type,
    upper({{ json_field('rateType', 'text', 'items.document') }}) as rate_type,
    {{ json_field('threshold', 'numeric(8, 4)', 'items.document') }} as threshold_hours,
    {{ json_field('rateMultiplier', 'numeric(6, 4)', 'items.document') }} as rate_multiplier,
    {{ json_field('rateAmount', 'numeric(9, 4)', 'items.document') }} as rate_amount,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
inner join lateral jsonb_array_elements(
    case when jsonb_typeof(versions.raw_data -> 'rules') = 'array' then versions.raw_data -> 'rules' end
) with ordinality as items (document, place) on true
where not versions.is_deleted
