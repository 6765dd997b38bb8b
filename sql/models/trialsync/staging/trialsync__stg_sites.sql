-- One row per site that an instance has, or had.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_sites_staging') }}
)

select
    source_instance_id,
    entity_id as site_id,
    {{ json_field('uid', 'uuid') }} as site_uid,
    {{ json_field('name') }} as name,
    {{ json_field('alternateName') }} as alternate_name,
    {{ json_field('active', 'boolean') }} as is_active,
    {{ json_field('address1') }} as address,
    {{ json_field('city') }} as city,
    {{ json_field('state') }} as state,
    {{ json_field('zip') }} as zip,
    {{ json_field('country') }} as country,
    {{ json_field('timeZone') }} as time_zone,
    {{ json_field('organization') }} as organization,
    {{ json_moment('createdOn') }} as site_created_at,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
