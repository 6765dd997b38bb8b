{#- The last day of the work week that a date lies in. -#}
{%- macro week_ending(day) -%}
    {#- + 7 before % 7: the remainder of a negative number is negative. -#}
    ({{ day }} + (({{ var('work_week_ends_on') }} - extract(isodow from {{ day }})::integer + 7) % 7))
{%- endmacro -%}

{#- Hours from one moment to another, to four places; exact over a clock change. Null where they are a year apart or
    more: one of the two is wrong then, and the hours would fit no column. -#}
{%- macro hours_between(earlier, later) -%}
    case
        when abs(extract(epoch from {{ later }} - {{ earlier }})) < 365 * 86400
            then round(extract(epoch from {{ later }} - {{ earlier }}) / 3600, 4)::numeric(8, 4)
    end
{%- endmacro -%}

{#- A condition: the date lies in a work week that shares a day with the window of the vars start_date and end_date. The
    bounds are constants, so that an index on the date is of use. -#}
{%- macro in_work_weeks(day) -%}
    {%- set window = build_window() -%}
    {%- if window is none -%}
        true
    {%- else -%}
        {{ day }} between {{ week_ending("date '" ~ window[0] ~ "'") }} - 6
        and {{ week_ending("date '" ~ window[1] ~ "'") }}
    {%- endif -%}
{%- endmacro -%}
