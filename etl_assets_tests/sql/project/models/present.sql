{{
    config(
        materialized='scd2',
        natural_key='member',
        effective_at='said_at',
        tracked=['region'],
        deleted_flag='is_gone',
    )
}}

select
    member,
    region,
    phone,
    false as is_gone,
    said_at
from operating_room.said_of_present
