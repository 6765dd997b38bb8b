{{ config(materialized='daily_snapshot', unique_key='snapshot_date', tags=['refused_snapshots']) }}

select timestamp '2026-01-01' as snapshot_date
