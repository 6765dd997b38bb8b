-- One row per patient and version of what is known of them; -1 is the patient nobody knows.

{{
    config(
        natural_key=['source_instance_id', 'patient_id'],
        tracked=[
            'status', 'display_name', 'first_name', 'last_name', 'primary_email', 'phone1', 'primary_site_id',
            'is_deleted',
        ],
    )
}}

with

versions as (
    {{ record_versions(ref('trialsync__stg_patients')) }}
)

select
    source_instance_id,
    patient_id,
    patient_uid,
    status,
    status_reason,
    display_name,
    title,
    first_name,
    middle_name,
    last_name,
    preferred_name,
    phonetic_name,
    primary_email,
    secondary_email,
    phone1,
    phone2,
    phone3,
    phone4,
    fax,
    address1,
    address2,
    address3,
    city,
    state,
    zip,
    country,
    birth_date,
    death_date,
    gender_code,
    race,
    ethnicity,
    native_language,
    marital_status,
    weight,
    weight_unit,
    height,
    height_unit,
    mrn,
    do_not_mail,
    do_not_email,
    is_text_opt_in,
    phone_to_text,
    primary_site_id,
    primary_site_uid,
    primary_site_name,
    is_caregiver,
    caregiver_id,
    is_managed_medicare,
    import_id,
    import_source_id,
    import_patient_id,
    guardian,
    custom_fields,
    active_studies,
    is_deleted,
    effective_at
from versions
