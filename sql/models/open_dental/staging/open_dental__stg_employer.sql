-- One row per employer.

with

employers as (
    select * from {{ source('open_dental', 'employer') }}
)

select
    employernum as employer_num,
    {{ cleaned('empname') }} as name
from employers
