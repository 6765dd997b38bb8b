-- One row per shift that has an employee, and side (bill, pay): its overtime hours and what they cost on top.
--
-- Overtime is a property of the employee's work week: its shifts are gone through in their order, and hours beyond the
-- thresholds of a shift's own rule are overtime of that shift. Daily overtime goes first, and does not count again
-- towards the week. An item of a rule earns what it pays more than the item below it, so that hours beyond two
-- thresholds are paid once at the higher rate.

with

hours as (
    select * from {{ ref('tracktik__int_shift_hours') }}
    where employee_id is not null
),

-- Paid time off is paid, but nobody worked.
sides as (
    select
        hours.shift_id,
        side.name as side,
        hours.employee_id,
        hours.shift_date,
        hours.week_ending,
        hours.started_at,
        coalesce(side.hours, 0) as hours,
        side.rate,
        side.overtime_rule_id
    from hours
    cross join lateral (
        values
        ('bill', hours.billable_hours, hours.bill_rate, hours.bill_overtime_rule_id),
        (
            'pay',
            case when hours.paid_time_off then 0 else hours.payable_hours end,
            hours.pay_rate,
            hours.pay_overtime_rule_id
        )
    ) as side (name, hours, rate, overtime_rule_id)
),

-- Only items that multiply the base rate; those of another kind are not computed.
items as (
    select
        *,
        row_number() over below = 1 as is_lowest,
        rate_multiplier - coalesce(lag(rate_multiplier) over below, 1) as premium
    from {{ ref('tracktik__stg_overtime_rule_items') }}
    where
        item_type in ('DAILY', 'PERIOD')
        and rate_type = 'MULTIPLIER'
        and threshold_hours is not null
        and rate_multiplier is not null
    window below as (partition by overtime_rule_id, effective_at, item_type order by threshold_hours, place)
),

-- Hours of the day up to and with each shift.
days as (
    select
        *,
        sum(hours) over (
            partition by side, employee_id, shift_date order by started_at, shift_id rows unbounded preceding
        ) as hours_so_far
    from sides
),

-- A shift's rule has a handful of items. To look them up row by row costs less than to join what comes of them.
after_days as (
    select
        days.*,
        coalesce(daily.overtime_hours, 0) as daily_overtime_hours,
        coalesce(daily.premium_hours, 0) as daily_premium_hours
    from days
    inner join lateral (
        select
            {{ overtime_hours('items', 'days.hours', 'days.hours_so_far') }} as overtime_hours,
            {{ premium_hours('items', 'days.hours', 'days.hours_so_far') }} as premium_hours
        from items
        where
            items.item_type = 'DAILY'
            and items.overtime_rule_id = days.overtime_rule_id
            and {{ valid_at('items', 'days.started_at') }}
    ) as daily on true
),

-- Hours of the week up to and with each shift, those left out that daily overtime has paid.
weeks as (
    select
        *,
        hours - daily_overtime_hours as week_hours,
        sum(hours - daily_overtime_hours) over (
            partition by side, employee_id, week_ending order by started_at, shift_id rows unbounded preceding
        ) as week_hours_so_far
    from after_days
)

select
    weeks.shift_id,
    weeks.side,
    weeks.daily_overtime_hours + coalesce(weekly.overtime_hours, 0) as overtime_hours,
    round(
        coalesce(weeks.rate, 0) * (weeks.daily_premium_hours + coalesce(weekly.premium_hours, 0)), 2
    ) as overtime_impact
from weeks
inner join lateral (
    select
        {{ overtime_hours('items', 'weeks.week_hours', 'weeks.week_hours_so_far') }} as overtime_hours,
        {{ premium_hours('items', 'weeks.week_hours', 'weeks.week_hours_so_far') }} as premium_hours
    from items
    where
        items.item_type = 'PERIOD'
        and items.overtime_rule_id = weeks.overtime_rule_id
        and {{ valid_at('items', 'weeks.started_at') }}
) as weekly on true
