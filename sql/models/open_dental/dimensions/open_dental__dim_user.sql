-- One row per login and version of it; -1 is the login nobody knows, and what the program itself does.

{{ config(natural_key='user_num') }}

with

users as (
    select * from {{ ref('open_dental__stg_userod') }}
),

employees as (
    select * from {{ ref('open_dental__stg_employee') }}
),

user_groups as (
    select * from {{ ref('open_dental__stg_usergroup') }}
),

memberships as (
    select
        user_num,
        user_group_num
    from {{ ref('open_dental__stg_usergroupattach') }}
    union
    -- from the times when a login was in one group only
    select
        user_num,
        user_group_num
    from users
    where user_group_num is not null
),

named as (
    select
        memberships.user_num,
        string_agg(user_groups.name, ', ' order by user_groups.name) as groups
    from memberships
    inner join user_groups on memberships.user_group_num = user_groups.user_group_num
    group by memberships.user_num
)

select
    users.user_num,
    users.user_name,
    named.groups,
    users.employee_num,
    users.provider_num,
    users.clinic_num,
    users.employee_num is not null as is_employee,
    users.provider_num is not null as is_provider,
    coalesce(employees.is_hidden, false) as is_employee_hidden,
    users.is_restricted_to_clinics,
    users.is_hidden,
    false as is_gone,
    null::timestamptz as effective_at
from users
left join employees on users.employee_num = employees.employee_num
left join named on users.user_num = named.user_num
