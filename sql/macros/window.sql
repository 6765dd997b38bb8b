{#- The dates that a model builds: the settings etl.start_date and etl.end_date of its transaction, both inclusive, which
    the ledger sets (`begin_build`); one that is empty has no end on that side. Settings and not vars, so that what a
    model says is the same in each run.

    By hand: PGOPTIONS="-c etl.start_date=2026-01-01 -c etl.end_date=2026-01-31" dbt run -#}

{#- A setting of the session that is a date, as SQL; null where it is not set. -#}
{%- macro date_setting(name) -%}
    nullif(current_setting('etl.{{ name }}', true), '')::date
{%- endmacro -%}

{#- A condition: the date `column` lies in the window, widened by days where what is built of one date depends on its
    neighbours. What has no date is built with the whole. A full refresh builds everything, whatever window is given:
    half a table would be left otherwise. `window` is another one, its two ends as SQL. -#}
{%- macro in_window(column, days_before=0, days_after=0, window=none) -%}
    {%- set start, end = window or (date_setting('start_date'), date_setting('end_date')) -%}
    {%- if flags.FULL_REFRESH -%}
        true
    {%- else -%}
        (
            {{ column }} between coalesce({{ start }}, '-infinity') - {{ days_before }}
            and coalesce({{ end }}, 'infinity') + {{ days_after }}
            or ({{ column }} is null and coalesce({{ date_setting('start_date') }}, {{ date_setting('end_date') }}) is null)
        )
    {%- endif -%}
{%- endmacro -%}

{#- The day as of which a run counts what is overdue, what is owed, and which days are over: the setting etl.as_of, which
    a run of Dagster's sets to the practice's own day, or today in UTC. The var as_of is for unit tests. -#}
{%- macro as_of_date() -%}
    {%- if var('as_of', none) is none -%}
        coalesce({{ date_setting('as_of') }}, (now() at time zone 'UTC')::date)
    {%- else -%}
        date '{{ var('as_of') }}'
    {%- endif -%}
{%- endmacro -%}
