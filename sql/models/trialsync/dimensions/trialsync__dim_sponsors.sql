-- One row per sponsor, as it is now, and one more of the time since it is gone; -1 is the sponsor nobody knows.

{{ config(natural_key=['source_instance_id', 'sponsor_id'], tracked=['is_deleted']) }}

with

versions as (
    {{ record_versions(ref('trialsync__stg_sponsors')) }}
)

select
    source_instance_id,
    sponsor_id,
    name,
    url,
    primary_email,
    primary_phone,
    divisions,
    is_deleted,
    effective_at
from versions
