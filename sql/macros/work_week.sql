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

{#- The last day of the two work weeks over which a BI-WEEKLY overtime rule adds up the hours of a date. -#}
{%- macro fortnight_ending(day) -%}
    {#- + 14 before % 14: the remainder of a negative number is negative. -#}
    ({{ day }} + ((date '{{ fortnight_anchor() }}' - {{ day }}) % 14 + 14) % 14)
{%- endmacro -%}
