-- One row per preference of the practice that money is counted by. The table holds passwords too, which stay where
-- they are.

with

preferences as (
    select * from {{ source('open_dental', 'preference') }}
)

select
    prefnum as preference_num,
    prefname as preference_name,
    {{ cleaned('valuestring') }} as preference_value
from preferences
where prefname in ('PayPlansVersion', 'DateLastAging')
