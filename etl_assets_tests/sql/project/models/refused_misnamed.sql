{{ config(materialized='list_partitioned', partition_by='part', unique_key='part', not_null=['nmae'], tags=['refused_parts']) }}

select
    'p' as part,
    'n' as name
