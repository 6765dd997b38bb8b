{#- The common table expressions `days`, from 2000 to 2040, and `holidays`, the federal ones of the United States
    (5 U.S.C. 6103) on the day on which they are observed: the Friday before where they fall on a Saturday, the Monday
    after on a Sunday. `fixed`, `observed` and `floating` are on the way. -#}
{%- macro calendar_days() -%}
days as (
    select
        day::date as date_day,
        extract(year from day)::integer as year,
        extract(month from day)::integer as month,
        extract(day from day)::integer as day_of_month,
        extract(isodow from day)::integer as iso_weekday
    from generate_series('2000-01-01'::timestamp, '2040-12-31'::timestamp, interval '1 day') as day
),

-- Fixed dates, up to the first day of 2041, which is observed in 2040 if it is a Saturday.
fixed as (
    select
        make_date(year.year, rule.month, rule.day) as falls_on,
        rule.name
    from generate_series(2000, 2041) as year (year)
    cross join (
        values
        (1, 1, 'New Year''s Day', 2000),
        (6, 19, 'Juneteenth', 2021),
        (7, 4, 'Independence Day', 2000),
        (11, 11, 'Veterans Day', 2000),
        (12, 25, 'Christmas Day', 2000)
    ) as rule (month, day, name, since)
    where year.year >= rule.since
),

observed as (
    select
        falls_on
        + case extract(isodow from falls_on)
            when 6 then -1
            when 7 then 1
            else 0
        end as date_day,
        name
    from fixed
),

-- The n-th Monday or Thursday of a month.
floating as (
    select
        days.date_day,
        rule.name
    from days
    inner join (
        values
        (1, 1, 3, 'Birthday of Martin Luther King, Jr.'),
        (2, 1, 3, 'Washington''s Birthday'),
        (9, 1, 1, 'Labor Day'),
        (10, 1, 2, 'Columbus Day'),
        (11, 4, 4, 'Thanksgiving Day')
    ) as rule (month, iso_weekday, nth, name)
        on days.month = rule.month
        and days.iso_weekday = rule.iso_weekday
        and (days.day_of_month + 6) / 7 = rule.nth
    union all
    -- the last Monday of May
    select
        date_day,
        'Memorial Day'
    from days
    where month = 5 and iso_weekday = 1 and day_of_month > 24
),

holidays as (
    select
        date_day,
        string_agg(name, ', ' order by name) as holiday_name
    from (
        select
            date_day,
            name
        from observed
        union all
        select
            date_day,
            name
        from floating
    ) as holiday
    group by date_day
)
{%- endmacro -%}
