-- One row per subject and version of the status and of the treatment's; -1 is the subject nobody knows.

{{
    config(
        natural_key=['source_instance_id', 'study_id', 'subject_id'],
        tracked=[
            'status', 'treatment_status', 'is_deleted',
        ],
    )
}}

with

versions as (
    {{ record_versions(ref('trialsync__stg_subjects')) }}
)

select
    source_instance_id,
    study_id,
    subject_id,
    subject_uid,
    site_id,
    patient_id,
    status,
    screening_number,
    randomization_number,
    gender_code,
    race,
    ethnicity,
    birth_date,
    enrollment_date,
    {{ age_on('enrollment_date', 'birth_date') }} as age_at_enrollment,
    enrollment_location,
    treatment_status,
    treatment_start_date,
    arm_id,
    protocol_version_id,
    protocol_version,
    facility_code,
    tag,
    is_deleted,
    effective_at
from versions
