{#- The dates that a run builds: the vars start_date and end_date, as ISO texts, or none for the whole history.
    A full refresh builds everything, whatever window is given: half a table would be left otherwise. -#}
{%- macro build_window() -%}
    {%- set start, end = var('start_date', none), var('end_date', none) -%}
    {%- if (start is none) != (end is none) -%}
        {{ exceptions.raise_compiler_error("start_date and end_date: give both, or neither for the whole history.") }}
    {%- endif -%}
    {%- if start is none or flags.FULL_REFRESH -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set window = [] -%}
    {#- Both go into SQL as literals, so nothing but a date may pass. -#}
    {%- for date in (start, end) -%}
        {%- if not modules.re.match('^\d{4}-\d{2}-\d{2}$', date | string) -%}
            {{ exceptions.raise_compiler_error(
                "start_date and end_date are ISO dates such as 2026-01-31, not " ~ date) }}
        {%- endif -%}
        {%- do window.append(date | string) -%}
    {%- endfor -%}
    {%- if window[0] > window[1] -%}
        {{ exceptions.raise_compiler_error("start_date " ~ window[0] ~ " is after end_date " ~ window[1]) }}
    {%- endif -%}
    {{ return(window) }}
{%- endmacro -%}

{#- A condition: the date `column` lies in the window that this run builds, or in the one that is given, widened by days
    where what is built of one date depends on its neighbours. -#}
{%- macro in_window(column, days_before=0, days_after=0, window=none) -%}
    {%- set window = window or build_window() -%}
    {%- if window is none -%}
        true
    {%- else -%}
        {{ column }} between date '{{ window[0] }}' - {{ days_before }} and date '{{ window[1] }}' + {{ days_after }}
    {%- endif -%}
{%- endmacro -%}

{#- The day as of which a run counts what is overdue, what is owed, and which days are over: the var as_of, which a run
    of Dagster's sets to the practice's own day, or today in UTC. -#}
{%- macro as_of_date() -%}
    {%- if var('as_of', none) is none -%}
        (now() at time zone 'UTC')::date
    {%- else -%}
        date '{{ var('as_of') }}'
    {%- endif -%}
{%- endmacro -%}
