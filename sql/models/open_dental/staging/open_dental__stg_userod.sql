-- One row per login. No passwords, pins or badges are taken.

with

users as (
    select * from {{ source('open_dental', 'userod') }}
)

select
    usernum as user_num,
    {{ cleaned('username') }} as user_name,
    {{ foreign_key('employeenum') }} as employee_num,
    {{ foreign_key('provnum') }} as provider_num,
    {{ foreign_key('usergroupnum') }} as user_group_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ flag('clinicisrestricted') }} as is_restricted_to_clinics,
    {{ flag('ishidden') }} as is_hidden
from users
