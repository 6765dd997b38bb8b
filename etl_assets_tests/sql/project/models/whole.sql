{{ config(materialized='replace_window', unique_key='name') }}

select
    name,
    sum(worth) as worth
from operating_room.source_days
group by name
