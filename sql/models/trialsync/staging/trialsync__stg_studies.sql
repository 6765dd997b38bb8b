-- One row per study that an instance has, or had. The first leader whose role begins so is the principal investigator.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_studies_staging') }}
)

select
    source_instance_id,
    entity_id as study_id,
    {{ json_field('uid', 'uuid') }} as study_uid,
    {{ json_field('name') }} as name,
    {{ json_field('status') }} as status,
    {{ json_field('protocolNumber') }} as protocol_number,
    {{ json_field('nctNumber') }} as nct_number,
    {{ json_field('identifier') }} as identifier,
    {{ json_field('phase') }} as phase,
    {{ json_field('title') }} as title,
    {{ json_field('category') }} as category,
    {{ json_field('subcategory') }} as subcategory,
    {{ json_field('sponsor.id', 'bigint') }} as sponsor_id,
    {{ json_field('sponsor.name') }} as sponsor_name,
    {{ json_field('sponsorDivision.id', 'bigint') }} as sponsor_division_id,
    {{ json_field('sponsorDivision.name') }} as sponsor_division_name,
    {{ json_field('sponsorTeam.id', 'bigint') }} as sponsor_team_id,
    {{ json_field('sponsorTeam.name') }} as sponsor_team_name,
    {{ json_field('managingSite.id', 'bigint') }} as managing_site_id,
    {{ json_field('managingSite.name') }} as managing_site_name,
    {{ json_field('organization.Id', 'bigint') }} as organization_id,
    {{ json_field('organization.Name') }} as organization_name,
    {{ json_field('id', 'bigint', principal_investigator()) }} as principal_investigator_id,
    {{ json_field('displayName', document=principal_investigator()) }} as principal_investigator_name,
    {{ enrollment_target() }} as enrollment_target,
    {{ json_field('launchYear', 'integer') }} as launch_year,
    {{ json_moment('createdOn') }} as study_created_at,
    {{ json_moment('lastUpdatedOn') }} as study_updated_at,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
