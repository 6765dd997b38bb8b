-- One row per visit of a subject that an instance has, or had. It was held on the day of the first of its appointments
-- that took place.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_patient_visits_staging') }}
)

select
    source_instance_id,
    entity_id as patient_visit_id,
    {{ json_field('uid', 'uuid') }} as patient_visit_uid,
    {{ json_field('study.id', 'bigint') }} as study_id,
    {{ json_field('subject.Id', 'bigint') }} as subject_id,
    {{ json_field('visitId', 'bigint') }} as visit_id,
    {{ json_field('visitName') }} as visit_name,
    {{ json_field('cycleName') }} as cycle_name,
    {{ json_field('sequence', 'integer') }} as sequence,
    {{ json_field('mandatory', 'boolean') }} as is_mandatory,
    {{ json_field('status') }} as status,
    {{ json_field('targetDueDate', 'date') }} as target_due_date,
    {{ json_field('minDueDate', 'date') }} as min_due_date,
    {{ json_field('maxDueDate', 'date') }} as max_due_date,
    {{ number_of('appointments') }} as appointments,
    {{ first_held_date() }} as held_date,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
