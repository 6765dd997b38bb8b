{#- Values that make no good names, and a batch that the model says itself. -#}
{{ config(materialized='list_partitioned', partition_by='part', unique_key='part') }}

select
    part,
    {{ run_batch_id() }} as etl_batch_id
from (values ('North 1'), ('north-1'), ('it''s'), (repeat('long', 20))) as given (part)
