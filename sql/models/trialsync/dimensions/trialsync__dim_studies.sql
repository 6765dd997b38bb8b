-- One row per study and version of its name and status; -1 is the study nobody knows.

{{ config(natural_key=['source_instance_id', 'study_id'], tracked=['name', 'status', 'is_deleted']) }}

with

versions as (
    {{ record_versions(ref('trialsync__stg_studies')) }}
)

select
    source_instance_id,
    study_id,
    study_uid,
    name,
    status,
    protocol_number,
    nct_number,
    identifier,
    phase,
    title,
    category,
    subcategory,
    sponsor_id,
    sponsor_name,
    sponsor_division_id,
    sponsor_division_name,
    sponsor_team_id,
    sponsor_team_name,
    managing_site_id,
    managing_site_name,
    organization_id,
    organization_name,
    principal_investigator_id,
    principal_investigator_name,
    enrollment_target,
    launch_year,
    study_created_at,
    study_updated_at,
    is_deleted,
    effective_at
from versions
