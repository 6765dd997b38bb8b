-- One row per visit of a study's protocol that an instance has, or had.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_visits_staging') }}
)

select
    source_instance_id,
    study_id,
    entity_id as visit_id,
    {{ json_field('uid', 'uuid') }} as visit_uid,
    {{ json_field('name') }} as name,
    {{ json_field('type') }} as visit_type,
    {{ json_field('reference') }} as reference,
    {{ json_field('protocolVersion.id', 'bigint') }} as protocol_version_id,
    {{ json_field('protocolVersion.name') }} as protocol_version,
    {{ json_field('budget', 'numeric') }} as budget,
    {{ json_field('cost', 'numeric') }} as cost,
    {{ json_field('patientStipend', 'numeric') }} as patient_stipend,
    {{ json_field('caregiverStipend', 'numeric') }} as caregiver_stipend,
    {{ json_field('isActive', 'boolean') }} as is_active,
    {{ json_field('autoRepeat', 'boolean') }} as is_repeated,
    {{ json_part('arms', 'array') }} as arms,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
