{{ config(materialized='view') }}

select * from operating_room.source_parts
