{{ config(materialized='scd2', natural_key=['site', 'code'], effective_at='changed_at') }}

select
    site,
    code,
    name,
    changed_at
from operating_room.source_pairs
