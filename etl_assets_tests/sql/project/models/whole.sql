{{ config(materialized='incremental', incremental_strategy='replace_window', unique_key='name') }}

select
    name,
    sum(worth) as worth
from operating_room.said_of_slices
group by name
