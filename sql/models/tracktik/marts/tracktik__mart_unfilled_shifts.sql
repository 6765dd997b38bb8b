-- One row per vacant shift that was not cancelled: when, where, and what is lost where nobody takes it.

{{
    config(
        unique_key='shift_id',
        window_column='week_ending',
    )
}}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
    where status = 'ACTIVE' and is_vacant and {{ in_overtime_window('week_ending') }}
),

regions as (
    select * from {{ ref('tracktik__dim_regions') }}
),

clients as (
    select * from {{ ref('tracktik__dim_clients') }}
),

positions as (
    select * from {{ ref('tracktik__dim_positions') }}
)

select
    shifts.shift_id,
    shifts.billing_period_id,
    shifts.week_ending,
    shifts.shift_date,
    shifts.start_datetime,
    shifts.end_datetime,
    shifts.time_zone,
    coalesce(regions.region_id, -1) as region_id,
    regions.name as region_name,
    shifts.client_id,
    clients.name as client_name,
    shifts.position_id,
    positions.name as position_name,
    shifts.is_standby,
    shifts.scheduled_hours,
    shifts.bill_rate_regular,
    case
        when shifts.is_billable then coalesce(round(shifts.scheduled_hours * shifts.bill_rate_regular, 2), 0)
        else 0
    end::numeric(14, 2) as bill_value
from shifts
left join regions on shifts.region_key = regions.surrogate_key
left join clients on shifts.client_key = clients.surrogate_key
left join positions on shifts.position_key = positions.surrogate_key
