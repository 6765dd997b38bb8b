-- One row per site, as it is now, and one more of the time since it is gone; -1 is the site nobody knows.

{{ config(natural_key=['source_instance_id', 'site_id'], tracked=['is_deleted']) }}

with

versions as (
    {{ record_versions(ref('trialsync__stg_sites')) }}
)

select
    source_instance_id,
    site_id,
    site_uid,
    name,
    alternate_name,
    is_active,
    address,
    city,
    state,
    zip,
    country,
    {{ known_time_zone('time_zone') }} as time_zone,
    organization,
    site_created_at,
    is_deleted,
    effective_at
from versions
