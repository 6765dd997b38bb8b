-- One row per sponsor that an instance has, or had.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_sponsors_staging') }}
)

select
    source_instance_id,
    entity_id as sponsor_id,
    {{ json_field('name') }} as name,
    {{ json_field('url') }} as url,
    {{ json_field('primaryEmail') }} as primary_email,
    {{ json_field('primaryPhone') }} as primary_phone,
    {{ json_part('sponsorDivisions', 'array') }} as divisions,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
