-- One row per group of holidays and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'holiday_groups') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as holiday_group_id,
    {{ json_field('name') }} as name,
    {{ json_relation('region') }} as region_id,
    coalesce({{ json_field('isDefault', 'boolean') }}, false) as is_default,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
