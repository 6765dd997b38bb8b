-- One row per shift: who, where and for whom, as they were when it began, and its hours: planned, worked, approved,
-- to be billed and to be paid. All shifts of each pair of work weeks that the window touches, for overtime is theirs.

with

shifts as (
    select * from {{ ref('tracktik__stg_shifts') }}
    where {{ in_overtime_window('shift_date') }}
),

sessions as (
    select * from {{ ref('tracktik__stg_work_sessions') }}
    where {{ in_window('session_date', var('document_reach_days'), var('document_reach_days'), overtime_window()) }}
),

employees as (
    {{ dimension_versions(ref('tracktik__dim_employees'), 'employee_id') }}
),

positions as (
    {{ dimension_versions(ref('tracktik__dim_positions'), 'position_id') }}
),

clients as (
    {{ dimension_versions(ref('tracktik__dim_clients'), 'client_id') }}
),

regions as (
    {{ dimension_versions(ref('tracktik__dim_regions'), 'region_id') }}
),

-- Whoever has two profiles has the newer one.
profiles as (
    select profiles.*
    from (
        select
            *,
            max(employment_profile_id) over (partition by employee_id) as newest_id
        from {{ ref('tracktik__stg_employment_profiles') }}
    ) as profiles
    where profiles.employment_profile_id = profiles.newest_id
),

defaults as (
    select * from {{ ref('tracktik__int_pay_overtime_defaults') }}
),

-- A clock-in that is still open has no hours yet.
clocked as (
    select
        shifts.shift_id,
        sum(sessions.session_hours) as clocked_hours
    from shifts
    inner join sessions
        on shifts.shift_id = sessions.shift_id
        and sessions.session_date between shifts.shift_date - {{ var('document_reach_days') }}
        and shifts.shift_date + {{ var('document_reach_days') }}
    group by shifts.shift_id
)

select
    shifts.shift_id,
    shifts.shift_date,
    shifts.week_ending,
    shifts.started_at,
    shifts.ended_at,
    shifts.time_zone,
    shifts.status,
    shifts.attendance_status,
    shifts.employee_id,
    shifts.position_id,
    clients.client_id,
    {{ dimension_key('employees') }} as employee_key,
    {{ dimension_key('positions') }} as position_key,
    {{ dimension_key('clients') }} as client_key,
    {{ dimension_key('regions') }} as region_key,
    shifts.employee_id is null as is_vacant,
    shifts.paid_time_off,
    coalesce(positions.name ilike any(array['%stand%', '%watch%']), false) as is_standby,
    flags.is_counted,
    flags.is_billable,
    shifts.approved_hours is not null as is_approved,
    shifts.updated_by,
    shifts.modified_at,
    coalesce(shifts.planned_hours, shifts.elapsed_hours) as scheduled_hours,
    case
        when flags.is_counted then coalesce(clocked.clocked_hours, shifts.clocked_hours, 0)
        else 0
    end as clocked_hours,
    case when flags.is_counted then coalesce(shifts.approved_hours, 0) else 0 end as approved_hours,
    billable.hours as billable_hours,
    payable.hours as payable_hours,
    least(coalesce(shifts.holiday_hours, 0), billable.hours) as bill_holiday_hours,
    least(coalesce(shifts.holiday_hours, 0), payable.hours) as pay_holiday_hours,
    coalesce(shifts.bill_rate, positions.bill_rate) as bill_rate,
    coalesce(shifts.pay_rate, positions.pay_rate) as pay_rate,
    coalesce(positions.discount_rate, 0) as discount_rate,
    positions.bill_overtime_rule_id,
    -- What nobody has described may be billed by any rule.
    coalesce(not positions.is_inferred, false) as is_bill_overtime_rule_known,
    case
        when not profiles.is_overtime_exempt then coalesce(profiles.overtime_rule_id, defaults.pay_overtime_rule_id)
    end as pay_overtime_rule_id,
    coalesce(
        not profiles.is_deleted
        and (
            profiles.is_overtime_exempt or profiles.overtime_rule_id is not null or defaults.region_id is not null
        ), false
    ) as is_pay_overtime_rule_known,
    positions.bill_holiday,
    positions.bill_holiday_rate,
    positions.bill_holiday_multiplier,
    positions.pay_holiday,
    positions.pay_holiday_rate,
    positions.pay_holiday_multiplier
from shifts
left join clocked on shifts.shift_id = clocked.shift_id
{{ join_dimension('employees', 'employee_id', 'shifts.employee_id', moment='shifts.started_at') }}
{{ join_dimension('positions', 'position_id', 'shifts.position_id', moment='shifts.started_at') }}
{{ join_dimension('clients', 'client_id', 'positions.client_id', moment='shifts.started_at') }}
{{ join_dimension('regions', 'region_id', 'clients.region_id', moment='shifts.started_at') }}
left join profiles
    on shifts.employee_id = profiles.employee_id
    and {{ valid_at('profiles', 'shifts.started_at') }}
left join defaults
    on employees.region_id = defaults.region_id
    and {{ valid_at('defaults', 'shifts.started_at') }}
-- `limit 1` has each of these worked out once a row; without it PostgreSQL would do so at every mention.
inner join lateral (
    select
        coalesce(shifts.status = 'ACTIVE', false) and shifts.employee_id is not null as is_counted,
        shifts.is_billable and not coalesce(positions.non_billable, false) and not shifts.paid_time_off as is_billable,
        coalesce(shifts.break_minutes, 0) / 60 as break_hours
    limit 1
) as flags on true
-- Our break is a meal break: where all breaks or those are billed, it is not taken off.
inner join lateral (
    select
        case
            when not flags.is_counted or not flags.is_billable or shifts.approved_hours is null then 0
            else coalesce(
                shifts.billable_hours,
                round(
                    greatest(
                        shifts.approved_hours
                        - case when positions.bill_breaks in ('ALL', 'MEAL_ONLY') then 0 else flags.break_hours end,
                        0
                    ), 4
                )
            )
        end as hours
    limit 1
) as billable on true
inner join lateral (
    select
        case
            when not flags.is_counted or not shifts.is_payable or shifts.approved_hours is null then 0
            else coalesce(
                shifts.payable_hours,
                round(
                    greatest(
                        shifts.approved_hours
                        - case when positions.pay_breaks in ('ALL', 'MEAL_ONLY') then 0 else flags.break_hours end,
                        0
                    ), 4
                )
            )
        end as hours
    limit 1
) as payable on true
