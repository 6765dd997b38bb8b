-- One row per subject that an instance has, or had: a patient in a study. Names are the patient's, and in no column
-- here.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_subjects_staging') }}
)

select
    source_instance_id,
    study_id,
    entity_id as subject_id,
    {{ json_field('uid', 'uuid') }} as subject_uid,
    {{ json_field('site.id', 'bigint') }} as site_id,
    {{ json_field('patient.id', 'bigint') }} as patient_id,
    {{ json_field('status') }} as status,
    {{ json_field('screeningNumber') }} as screening_number,
    {{ json_field('randomizationNumber') }} as randomization_number,
    coalesce({{ json_field('genderCode') }}, {{ json_field('patient.genderCode') }}) as gender_code,
    coalesce({{ json_field('race') }}, {{ json_field('patient.race') }}) as race,
    coalesce({{ json_field('ethnicity') }}, {{ json_field('patient.ethnicity') }}) as ethnicity,
    {{ json_field('patient.dateOfBirth', 'date') }} as birth_date,
    {{ json_field('enrollmentDate', 'date') }} as enrollment_date,
    {{ json_field('enrollmentLocation') }} as enrollment_location,
    {{ json_field('treatmentStatus') }} as treatment_status,
    {{ json_field('treatmentStart', 'date') }} as treatment_start_date,
    {{ json_field('arm.Id', 'bigint') }} as arm_id,
    {{ json_field('protocolVersion.id', 'bigint') }} as protocol_version_id,
    {{ json_field('protocolVersion.name') }} as protocol_version,
    {{ json_field('facilityCode') }} as facility_code,
    {{ json_field('tag') }} as tag,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
