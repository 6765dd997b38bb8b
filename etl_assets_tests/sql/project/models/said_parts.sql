{{ config(materialized='view') }}

select * from operating_room.said_of_parts
