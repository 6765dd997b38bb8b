{{ config(materialized='scd2', natural_key=['site', 'code'], effective_at='said_at') }}

select
    site,
    code,
    name,
    said_at
from operating_room.said_of_pairs
