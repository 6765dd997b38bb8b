{#- The last day of a pair of work weeks: that of the week in which the var says that one ends. -#}
{%- macro fortnight_anchor() -%}
    {%- set day = modules.datetime.date.fromisoformat(var('biweekly_overtime_ends_on') | string) -%}
    {{ return(day + modules.datetime.timedelta((var('work_week_ends_on') - day.isoweekday()) % 7)) }}
{%- endmacro -%}

{#- The window that a model builds, extended to whole pairs of work weeks, as the SQL of its two ends: overtime is a
    property of these, so that a shift that changes on one of their days may change what every other is billed. -#}
{%- macro overtime_window() -%}
    {{ return(['(' ~ fortnight_end(date_setting('start_date')) ~ ' - 13)', fortnight_end(date_setting('end_date'))]) }}
{%- endmacro -%}

{#- The last day of the pair of work weeks that a date is in, as SQL. -#}
{%- macro fortnight_end(day) -%}
    {{ return('(' ~ day ~ ' + ((date \'' ~ fortnight_anchor() ~ '\' - ' ~ day ~ ') % 14 + 14) % 14)') }}
{%- endmacro -%}

{#- A condition: the date lies in a pair of work weeks that shares a day with the window of this run. The bounds are
    stable, so that an index on the date is of use. -#}
{%- macro in_overtime_window(day) -%}
    {{ in_window(day, window=overtime_window()) }}
{%- endmacro -%}
