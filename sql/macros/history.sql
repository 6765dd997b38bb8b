{#- The moment from which something first seen on a date is in force. A date has no zone of its own here: rooms and
    surgeons of several sites share a dimension, so the day's midnight in UTC stands for it everywhere. -#}
{%- macro day_start(day) -%}
    ({{ day }}::timestamp at time zone 'UTC')
{%- endmacro -%}

{#- A join condition: the version of the dimension that was in force on that date. -#}
{%- macro in_force(dimension, day) -%}
    {{ day_start(day) }} >= {{ dimension }}.valid_from
        and ({{ dimension }}.valid_to is null or {{ day_start(day) }} < {{ dimension }}.valid_to)
{%- endmacro -%}

{#- What was last said of a member up to and with this day, passing over the days on which nothing was said.
    ISO dates sort as text, so the greatest pair (day, value) is the latest. -#}
{%- macro last_known(value, member, day) -%}
    (max(array[{{ day }}::text, {{ value }}]) filter (where {{ value }} is not null)
        over (partition by {{ member }} order by {{ day }}))[2]
{%- endmacro -%}
