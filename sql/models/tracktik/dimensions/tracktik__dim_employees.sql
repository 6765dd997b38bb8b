-- One row per employee and version of what is known of them; -1 is the employee nobody knows, and a vacant shift's.
-- The name of the region is the one it had at the time. Of mail and phone only the last is kept.

{{
    config(
        natural_key='employee_id',
        tracked=['custom_id', 'first_name', 'last_name', 'status', 'region_id', 'region_name'],
        window_from=['tracktik__stg_shifts'],
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
    where {{ in_overtime_window('shift_date') }}
),

-- Employees with the name of their region, whenever either changed.
described as (
    select
        employees.*,
        regions.name as region_name,
        greatest(employees.effective_at, regions.in_force_from) as known_at
    from employees
    left join regions
        on employees.region_id = regions.region_id
        and {{ described_by('employees', 'regions') }}
),

referenced_ids as (
    select
        employee_id,
        started_at as referenced_at
    from shifts
),

inferred as (
    {{ inferred_members('employee_id', referenced='referenced_ids', described='employees') }}
)

-- The full join matches nothing: it appends the inferred members, by name.
select
    employee_id,
    described.custom_id,
    described.first_name,
    described.last_name,
    described.email,
    described.phone,
    described.status,
    described.region_id,
    described.region_name,
    inferred.employee_id is not null as is_inferred,
    known_at as effective_at
from described
full join inferred using (employee_id, known_at)
