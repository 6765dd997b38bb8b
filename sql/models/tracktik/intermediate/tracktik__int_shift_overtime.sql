-- One row per shift that has an employee, and side (bill, pay): its overtime hours and what they cost on top, null
-- where that is not known.
--
-- Overtime is a property of the employee's work week, or of a pair of them where the rule is BI-WEEKLY: the shifts are
-- gone through in their order, and hours beyond the thresholds of a shift's own rule are overtime of that shift. Daily
-- overtime goes first, and does not count again towards the week. An item of a rule earns what it pays more than the
-- item below it, so that hours beyond two thresholds are paid once at the higher rate.

with

hours as (
    select * from {{ ref('tracktik__int_shift_hours') }}
    where employee_id is not null
),

rules as (
    select
        *,
        not_computed_because is null as is_computed,
        coalesce(period_length = 'BI-WEEKLY', false) as is_biweekly
    from {{ ref('tracktik__stg_overtime_rules') }}
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
        side.overtime_rule_id,
        side.is_rule_known
    from hours
    cross join lateral (
        values
        (
            'bill',
            hours.billable_hours,
            hours.bill_rate,
            hours.bill_overtime_rule_id,
            hours.is_bill_overtime_rule_known
        ),
        (
            'pay',
            case when hours.paid_time_off then 0 else hours.payable_hours end,
            hours.pay_rate,
            hours.pay_overtime_rule_id,
            hours.is_pay_overtime_rule_known
        )
    ) as side (name, hours, rate, overtime_rule_id, is_rule_known)
),

-- How much more than the item below it each one pays: so many times the base rate, and so much money.
items as (
    select
        *,
        row_number() over below = 1 as is_lowest,
        times - coalesce(lag(times) over below, 1) as more_times,
        money - coalesce(lag(money) over below, 0) as more_money
    from (
        select
            *,
            case rate_type when 'MULTIPLIER' then rate_multiplier else 0 end as times,
            case rate_type when 'RATE' then rate_amount else 0 end as money
        from {{ ref('tracktik__stg_overtime_rule_items') }}
    ) as priced
    window below as (partition by overtime_rule_id, effective_at, item_type order by threshold_hours, place)
),

-- Each with the version of its rule, and its hours of the day up to and with it.
days as (
    select
        sides.*,
        rules.effective_at as rule_effective_at,
        coalesce(rules.is_biweekly, false) as is_biweekly,
        sides.hours = 0 or (sides.is_rule_known and sides.overtime_rule_id is null) as has_no_overtime,
        sides.hours = 0
        or (sides.is_rule_known and (sides.overtime_rule_id is null or coalesce(rules.is_computed, false)))
            as is_computed,
        sum(sides.hours) over (
            partition by sides.side, sides.employee_id, sides.shift_date
            order by sides.started_at, sides.shift_id
            rows unbounded preceding
        ) as hours_so_far
    from sides
    left join rules
        on sides.overtime_rule_id = rules.overtime_rule_id
        and {{ valid_at('rules', 'sides.started_at') }}
),

-- A shift's rule has a handful of items. To look them up row by row costs less than to join what comes of them.
after_days as (
    select
        days.*,
        coalesce(daily.overtime_hours, 0) as daily_overtime_hours,
        coalesce(daily.premium, 0) as daily_premium
    from days
    inner join lateral (
        select
            {{ overtime_hours('items', 'days.hours', 'days.hours_so_far') }} as overtime_hours,
            {{ overtime_premium('items', 'days.hours', 'days.hours_so_far', 'days.rate') }} as premium
        from items
        where
            items.item_type = 'DAILY'
            and items.overtime_rule_id = days.overtime_rule_id
            and items.effective_at = days.rule_effective_at
    ) as daily on true
),

-- Hours of the week, and of the two weeks, up to and with each shift, those left out that daily overtime has paid; and
-- whether all of these could be computed.
weeks as (
    select
        *,
        hours - daily_overtime_hours as week_hours,
        sum(hours - daily_overtime_hours) over this_week as week_hours_so_far,
        bool_and(is_computed) over this_week as is_week_computed,
        sum(hours - daily_overtime_hours) over two_weeks as two_weeks_hours_so_far,
        bool_and(is_computed) over two_weeks as are_two_weeks_computed
    from after_days
    window
        this_week as (
            partition by side, employee_id, week_ending order by started_at, shift_id rows unbounded preceding
        ),
        two_weeks as (
            partition by side, employee_id, {{ fortnight_ending('shift_date') }}
            order by started_at, shift_id
            rows unbounded preceding
        )
),

-- Those of the period that the shift's own rule counts by.
periods as (
    select
        *,
        case when is_biweekly then two_weeks_hours_so_far else week_hours_so_far end as hours_of_period_so_far,
        case when is_biweekly then are_two_weeks_computed else is_week_computed end as is_period_computed
    from weeks
),

overtime as (
    select
        periods.*,
        periods.daily_overtime_hours + coalesce(of_period.overtime_hours, 0) as overtime_hours,
        periods.daily_premium + coalesce(of_period.premium, 0) as premium
    from periods
    inner join lateral (
        select
            {{ overtime_hours('items', 'periods.week_hours', 'periods.hours_of_period_so_far') }} as overtime_hours,
            {{
                overtime_premium('items', 'periods.week_hours', 'periods.hours_of_period_so_far', 'periods.rate')
            }} as premium
        from items
        where
            items.item_type = 'PERIOD'
            and items.overtime_rule_id = periods.overtime_rule_id
            and items.effective_at = periods.rule_effective_at
    ) as of_period on true
)

select
    shift_id,
    side,
    case when has_no_overtime then 0 when is_period_computed then overtime_hours end as overtime_hours,
    round(
        case
            when has_no_overtime then 0
            when is_period_computed and overtime_hours = 0 then 0
            when is_period_computed and rate is not null then premium
        end, 2
    ) as overtime_impact
from overtime
