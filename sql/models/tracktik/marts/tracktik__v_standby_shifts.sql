-- One row per shift at a standby or watch position. All names are those in force when the shift began, so that a row
-- does not change when somebody is renamed later.

{{ config(materialized='view') }}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
),

employees as (
    select * from {{ ref('tracktik__dim_employees') }}
),

positions as (
    select * from {{ ref('tracktik__dim_positions') }}
),

clients as (
    select * from {{ ref('tracktik__dim_clients') }}
),

regions as (
    select * from {{ ref('tracktik__dim_regions') }}
)

select
    shifts.billing_period_id,
    shifts.shift_id,
    shifts.shift_date,
    shifts.start_datetime,
    shifts.end_datetime,
    shifts.time_zone,
    shifts.status,
    shifts.attendance_status,
    shifts.employee_id,
    employees.first_name as employee_first_name,
    employees.last_name as employee_last_name,
    shifts.position_id,
    positions.name as position_name,
    positions.position_type,
    shifts.client_id,
    clients.name as client_name,
    regions.region_id,
    regions.name as region_name,
    shifts.scheduled_hours,
    shifts.clocked_hours,
    shifts.approved_hours,
    shifts.billable_hours,
    shifts.bill_rate_effective,
    shifts.bill_total
from shifts
inner join positions on shifts.position_key = positions.surrogate_key
inner join employees on shifts.employee_key = employees.surrogate_key
inner join clients on shifts.client_key = clients.surrogate_key
inner join regions on shifts.region_key = regions.surrogate_key
where positions.name ilike '%stand%' or positions.name ilike '%watch%'
