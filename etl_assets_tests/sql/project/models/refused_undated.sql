{{ config(materialized='scd2', natural_key='member', effective_at='said_at', tags=['refused']) }}

select 1 as member, 'n' as region, null::timestamptz as said_at
