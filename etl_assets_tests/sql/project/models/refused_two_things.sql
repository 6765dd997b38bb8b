{{ config(materialized='scd2', natural_key='member', effective_at='changed_at', tags=['refused']) }}

select 1 as member, region, timestamptz '2026-01-01' as changed_at from (values ('n'), ('s')) as given (region)
