-- One row per billing period, client and position: hours planned, worked and approved, and where they part. Only shifts
-- that somebody was to work; cancelled and vacant ones are left out.

{{
    config(
        unique_key=['billing_period_id', 'client_id', 'position_id'],
        window_column='period_start',
        window_days_before=var('longest_period_days'),
    )
}}

with

shifts as (
    select * from {{ ref('tracktik__fact_shifts') }}
    where
        status = 'ACTIVE'
        and not is_vacant
        and {{
            in_window(
                'week_ending', var('longest_period_days'), var('longest_period_days') | int + 6, overtime_window()
            )
        }}
),

clients as (
    select * from {{ ref('tracktik__dim_clients') }}
),

positions as (
    select * from {{ ref('tracktik__dim_positions') }}
)

select
    shifts.billing_period_id,
    shifts.period_start,
    shifts.period_end,
    shifts.client_id,
    {{ latest_value('clients.name', 'shifts.start_datetime') }} as client_name,
    shifts.position_id,
    {{ latest_value('positions.name', 'shifts.start_datetime') }} as position_name,
    count(*) as shifts,
    count(*) filter (where shifts.attendance_status = 'MISSED') as missed_shifts,
    count(*) filter (where shifts.attendance_status = 'LATE') as late_shifts,
    count(*) filter (where shifts.clocked_hours > 0 and not shifts.is_approved) as unapproved_shifts,
    sum(shifts.scheduled_hours) as scheduled_hours,
    sum(shifts.clocked_hours) as clocked_hours,
    sum(shifts.approved_hours) as approved_hours,
    sum(shifts.clocked_hours) - sum(shifts.scheduled_hours) as clocked_less_scheduled_hours,
    sum(shifts.approved_hours) - sum(shifts.clocked_hours) as approved_less_clocked_hours,
    sum(shifts.approved_hours) - sum(shifts.scheduled_hours) as approved_less_scheduled_hours
from shifts
left join clients on shifts.client_key = clients.surrogate_key
left join positions on shifts.position_key = positions.surrogate_key
where {{ in_replaced_window('shifts') }}
group by
    shifts.billing_period_id,
    shifts.period_start,
    shifts.period_end,
    shifts.client_id,
    shifts.position_id
