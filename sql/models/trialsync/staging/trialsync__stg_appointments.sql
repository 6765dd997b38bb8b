-- One row per appointment that an instance has, or had.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_appointments_staging') }}
)

select
    source_instance_id,
    entity_id as appointment_id,
    {{ json_field('status') }} as status,
    {{ json_moment('plannedStart') }} as planned_start,
    {{ json_moment('plannedEnd') }} as planned_end,
    {{ json_field('study.id', 'bigint') }} as study_id,
    {{ json_field('site.id', 'bigint') }} as site_id,
    {{ json_field('patient.id', 'bigint') }} as patient_id,
    {{ json_field('visit.id', 'bigint') }} as visit_id,
    {{ json_field('visit.name') }} as visit_name,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
