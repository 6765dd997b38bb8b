-- One row per definition and version of it; -1 is the definition nobody knows, and none.

{{ config(natural_key='definition_num') }}

with

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
)

select
    definition_num,
    category_code,
    category,
    item_name,
    item_value,
    item_order,
    is_hidden,
    false as is_gone,
    null::timestamptz as effective_at
from definitions
