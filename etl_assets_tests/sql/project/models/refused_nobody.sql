{{ config(materialized='scd2', natural_key='member', effective_at='said_at', tags=['refused']) }}

select null::integer as member, 'n' as region, timestamptz '2026-01-01' as said_at
