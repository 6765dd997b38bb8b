-- One row per element of a subject's visit that an instance has, or had: done, or to be done.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_patient_visit_elements_staging') }}
)

select
    source_instance_id,
    patient_visit_id,
    entity_id as patient_visit_element_id,
    {{ json_field('elementId', 'bigint') }} as element_id,
    {{ json_field('name') }} as name,
    {{ json_field('sequence', 'integer') }} as sequence,
    {{ json_field('durationMinutes', 'integer') }} as minutes,
    {{ json_field('required', 'boolean') }} as is_required,
    {{ json_field('isRepeatedElement', 'boolean') }} as is_repeated,
    {{ json_moment('completedOn') }} as completed_at,
    {{ json_field('completedOn', 'date') }} as completed_date,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
