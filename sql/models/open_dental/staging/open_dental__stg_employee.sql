-- One row per employee. Neither names nor phone numbers are taken.

with

employees as (
    select * from {{ source('open_dental', 'employee') }}
)

select
    employeenum as employee_num,
    {{ flag('ishidden') }} as is_hidden
from employees
