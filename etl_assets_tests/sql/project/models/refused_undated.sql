{{ config(materialized='scd2', natural_key='member', effective_at='changed_at', tags=['refused']) }}

select 1 as member, 'n' as region, null::timestamptz as changed_at
