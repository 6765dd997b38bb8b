-- One row per visit of a protocol, as it is now, and one more of the time since it is gone; -1 is none.

{{ config(natural_key=['source_instance_id', 'study_id', 'visit_id'], tracked=['is_deleted']) }}

with

versions as (
    {{ record_versions(ref('trialsync__stg_visits')) }}
)

select
    source_instance_id,
    study_id,
    visit_id,
    visit_uid,
    name,
    visit_type,
    reference,
    protocol_version_id,
    protocol_version,
    budget,
    cost,
    patient_stipend,
    caregiver_stipend,
    is_active,
    is_repeated,
    arms,
    is_deleted,
    effective_at
from versions
