-- One row per arm of a study that an instance has, or had. Several studies may have arms of one id.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_study_arms_staging') }}
)

select
    source_instance_id,
    study_id,
    entity_id as arm_id,
    {{ json_field('Uid', 'uuid') }} as arm_uid,
    {{ json_field('Name') }} as name,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
