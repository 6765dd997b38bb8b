{#- Text without the blanks around it, and null where nothing is left. -#}
{%- macro cleaned(column) -%}
    {#- The last one is the no-break space, which spreadsheets write. -#}
    nullif(btrim({{ column }}, e' \t\r\n\u00a0'), '')
{%- endmacro -%}

{#- Minutes from one moment to another, to the hundredth; exact over a clock change when both are timestamptz. -#}
{%- macro minutes_between(earlier, later) -%}
    round(extract(epoch from {{ later }} - {{ earlier }}) / 60, 2)::numeric(14, 2)
{%- endmacro -%}

{#- Minutes of the span [a, b] that lie in the span [c, d]; null where a bound is null, never negative. -#}
{%- macro overlap_minutes(a, b, c, d) -%}
    {#- greatest and least pass over nulls: without the test an open span would count to the other's end. -#}
    case
        when {{ a }} is not null and {{ b }} is not null and {{ c }} is not null and {{ d }} is not null
            then greatest({{ minutes_between('greatest(' ~ a ~ ', ' ~ c ~ ')', 'least(' ~ b ~ ', ' ~ d ~ ')') }}, 0)
    end::numeric(14, 2)
{%- endmacro -%}

{#- The sum of a column over a group; null where one of its values is, for the sum of the others would pass for all. -#}
{%- macro sum_if_known(column) -%}
    case when count(*) = count({{ column }}) then sum({{ column }}) end
{%- endmacro -%}

{#- A quotient to four places; null where the divisor is null or zero. -#}
{%- macro ratio(part, whole) -%}
    round({{ part }} / nullif({{ whole }}, 0), 4)::numeric(14, 4)
{%- endmacro -%}
