-- One row per element of a study that an instance has, or had: something that may be done at a visit.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_elements_staging') }}
)

select
    source_instance_id,
    entity_id as element_id,
    {{ json_field('uid', 'uuid') }} as element_uid,
    {{ json_field('study.id', 'bigint') }} as study_id,
    {{ json_field('name') }} as name,
    {{ json_field('type') }} as element_type,
    {{ json_field('cpt') }} as cpt_code,
    {{ json_field('mnemonic') }} as mnemonic,
    {{ json_field('standardTimeMinutes', 'integer') }} as standard_minutes,
    {{ json_field('budget', 'numeric') }} as budget,
    {{ json_field('cost', 'numeric') }} as cost,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
