-- One row per employee and version of what is known of them; -1 is the employee nobody knows, and a vacant shift's.
-- The name of the region is the one it had at the time. Of mail and phone only the last is kept.

{{
    config(
        natural_key='employee_id',
        tracked=['custom_id', 'first_name', 'last_name', 'status', 'region_id', 'region_name'],
    )
}}

with

employees as (
    select * from {{ ref('tracktik__stg_employees') }}
),

regions as (
    select * from {{ ref('tracktik__stg_regions') }}
),

shifts as (
    select * from {{ ref('tracktik__stg_shifts') }}
    where {{ in_work_weeks('shift_date') }}
)

select
    employees.employee_id,
    employees.custom_id,
    employees.first_name,
    employees.last_name,
    employees.email,
    employees.phone,
    employees.status,
    employees.region_id,
    regions.name as region_name,
    false as is_inferred,
    greatest(employees.effective_at, regions.in_force_from) as effective_at
from employees
left join regions
    on employees.region_id = regions.region_id
    and {{ in_force_together('employees', 'regions') }}
union all
select
    employee_id,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    true,
    min(started_at)
from shifts
where
    employee_id is not null
    and started_at is not null
    and employee_id not in (select employees.employee_id from employees)
group by employee_id
