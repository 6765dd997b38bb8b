-- One row per arm of a study, as it is now, and one more of the time since it is gone; -1 is none.

{{ config(natural_key=['source_instance_id', 'study_id', 'arm_id'], tracked=['is_deleted']) }}

with

versions as (
    {{ record_versions(ref('trialsync__stg_study_arms')) }}
)

select
    source_instance_id,
    study_id,
    arm_id,
    arm_uid,
    name,
    is_deleted,
    effective_at
from versions
