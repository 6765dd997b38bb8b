{{
    config(
        materialized='scd2',
        natural_key='member',
        effective_at='changed_at',
        tracked=['region'],
        deleted_flag='is_gone',
    )
}}

select
    member,
    region,
    phone,
    false as is_gone,
    changed_at
from operating_room.source_state
