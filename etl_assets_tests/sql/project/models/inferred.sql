{{ config(materialized='scd2', natural_key='member', effective_at='changed_at', inferred_flag='is_inferred') }}

select
    member,
    name,
    is_inferred,
    changed_at
from operating_room.source_inferred
