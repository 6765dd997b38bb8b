-- One row per client or site and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'clients') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as client_id,
    {{ json_field('customId') }} as custom_id,
    coalesce({{ json_field('name') }}, {{ json_field('company') }}) as name,
    {{ json_field('type') }} as client_type,
    {{ json_relation('parentClient') }} as parent_client_id,
    {{ json_relation('region') }} as region_id,
    {{ json_field('timeZone') }} as time_zone,
    case
        when jsonb_typeof(versions.raw_data -> 'address') = 'object' then versions.raw_data -> 'address'
    end as address,
    {{ json_field('closedDate', 'date') }} as closed_date,
    case when versions.is_deleted then 'DELETED' else upper({{ json_field('status') }}) end as status,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
