-- One row per kind of visit that patients are called back for.

with

types as (
    select * from {{ source('open_dental', 'recalltype') }}
)

select
    recalltypenum as recall_type_num,
    {{ cleaned('description') }} as name,
    {{ packed_interval('defaultinterval') }} as default_interval,
    {{ pattern_minutes('timepattern') }} as minutes
from types
