-- One row per login and group it is in.

with

memberships as (
    select * from {{ source('open_dental', 'usergroupattach') }}
)

select
    usergroupattachnum as membership_num,
    usernum as user_num,
    usergroupnum as user_group_num
from memberships
