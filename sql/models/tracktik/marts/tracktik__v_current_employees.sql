-- One row per employee as known at present. Mail and phone stay in the dimension; names are for readers of personal
-- columns.

{{ config(materialized='view') }}

with

employees as (
    select * from {{ ref('tracktik__dim_employees') }}
)

select
    surrogate_key,
    employee_id,
    custom_id,
    first_name,
    last_name,
    status,
    region_id,
    region_name,
    is_inferred,
    valid_from,
    updated_at
from employees
where is_current and employee_id is not null
