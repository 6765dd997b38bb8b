{{ config(materialized='daily_snapshot', unique_key='name', tags=['refused_snapshots']) }}

select
    'n' as name,
    date '2026-01-01' as snapshot_date
