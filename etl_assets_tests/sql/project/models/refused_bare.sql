{{ config(materialized='scd2', natural_key='member', effective_at='said_at', tags=['refused']) }}

select 1 as member, timestamptz '2026-01-01' as said_at
