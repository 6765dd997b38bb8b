-- One row per region and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'regions') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as region_id,
    {{ json_field('customId') }} as custom_id,
    {{ json_field('name') }} as name,
    {{ json_field('company') }} as company,
    {{ json_relation('parentRegion') }} as parent_region_id,
    {{ json_field('timeZone') }} as time_zone,
    {{ json_field('prefix') }} as prefix,
    case when versions.is_deleted then 'DELETED' else upper({{ json_field('status') }}) end as status,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
