-- One row per group of logins.

with

user_groups as (
    select * from {{ source('open_dental', 'usergroup') }}
)

select
    usergroupnum as user_group_num,
    {{ cleaned('description') }} as name
from user_groups
