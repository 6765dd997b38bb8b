{{ config(materialized='scd2', natural_key='member', effective_at='said_at', inferred_flag='is_inferred') }}

select
    member,
    name,
    is_inferred,
    said_at
from operating_room.said_of_stubs
