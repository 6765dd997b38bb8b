{{ config(materialized='scd2', natural_key='member', effective_at='changed_at', tags=['refused']) }}

select null::integer as member, 'n' as region, timestamptz '2026-01-01' as changed_at
