{#- The last day of a pair of work weeks: that of the week in which the var says that one ends. -#}
{%- macro fortnight_anchor() -%}
    {%- set day = modules.datetime.date.fromisoformat(var('biweekly_overtime_ends_on') | string) -%}
    {{ return(day + modules.datetime.timedelta((var('work_week_ends_on') - day.isoweekday()) % 7)) }}
{%- endmacro -%}

{#- The window of the vars start_date and end_date, extended to whole pairs of work weeks: overtime is a property of
    these, so that a shift that changes on one of their days may change what every other is billed. -#}
{%- macro overtime_window() -%}
    {%- set window = build_window() -%}
    {%- if window is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set ends = [] -%}
    {%- for text in window -%}
        {%- set day = modules.datetime.date.fromisoformat(text) -%}
        {%- do ends.append(day + modules.datetime.timedelta((fortnight_anchor() - day).days % 14)) -%}
    {%- endfor -%}
    {{ return([(ends[0] - modules.datetime.timedelta(13)) | string, ends[1] | string]) }}
{%- endmacro -%}

{#- A condition: the date lies in a pair of work weeks that shares a day with the window of this run. The bounds are
    constants, so that an index on the date is of use. -#}
{%- macro in_overtime_window(day) -%}
    {{ in_window(day, window=overtime_window()) }}
{%- endmacro -%}
