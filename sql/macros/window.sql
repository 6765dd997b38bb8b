{#- The dates asked for by the vars start_date and end_date, as ISO texts, or none for the whole history.
    A full refresh builds everything, whatever window is given: half a table would be left otherwise. -#}
{%- macro asked_window() -%}
    {%- set start, end = var('start_date', none), var('end_date', none) -%}
    {%- if (start is none) != (end is none) -%}
        {{ exceptions.raise_compiler_error("start_date and end_date: give both, or neither for the whole history.") }}
    {%- endif -%}
    {%- if start is none or flags.FULL_REFRESH -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set window = [] -%}
    {%- for said in (start, end) -%}
        {%- if not modules.re.match('^\d{4}-\d{2}-\d{2}$', said | string) -%}
            {{ exceptions.raise_compiler_error("start_date and end_date are ISO dates such as 2026-01-31, not " ~ said) }}
        {%- endif -%}
        {%- do window.append(said | string) -%}
    {%- endfor -%}
    {%- if window[0] > window[1] -%}
        {{ exceptions.raise_compiler_error("start_date " ~ window[0] ~ " is after end_date " ~ window[1]) }}
    {%- endif -%}
    {{ return(window) }}
{%- endmacro -%}

{#- A condition: the date `column` lies in the window asked for, widened by days where what is built
    of one date depends on its neighbours. -#}
{%- macro in_window(column, days_before=0, days_after=0) -%}
    {%- set window = asked_window() -%}
    {%- if window is none -%}
        true
    {%- else -%}
        {{ column }} between date '{{ window[0] }}' - {{ days_before }} and date '{{ window[1] }}' + {{ days_after }}
    {%- endif -%}
{%- endmacro -%}
