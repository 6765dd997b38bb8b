{#- Point-in-time lookups: which version of a dimension's member a fact takes, and when members were valid.

    A day has no zone of its own here: rooms and surgeons of several sites share a dimension, and a practice's wall
    clock has none either, so midnight in UTC stands for it everywhere. -#}

{#- The moment from which something first seen on a date is valid. -#}
{%- macro day_start(day) -%}
    ({{ day }}::timestamp at time zone 'UTC')
{%- endmacro -%}

{#- The moment by which a fact looks up its dimensions: the beginning of its day, or its own moment, in UTC; before
    everything where it has none, so that it takes each member's first version. -#}
{%- macro effective_moment(day) -%}
    coalesce({{ day_start(day) }}, '-infinity')
{%- endmacro -%}

{#- The versions of a dimension, each with the moments between which it is valid: the first one of a member also stands
    for the time before it, so that a fact older than what is known of its member still finds it. The unknown member,
    -1, is no version: facts take it where they find none. `natural_key` is a column, or a list of them. -#}
{%- macro dimension_versions(dimension, natural_key) -%}
{%- set keys = [natural_key] if natural_key is string else natural_key -%}
select
    *,
    case
        when row_number() over (partition by {{ keys | join(', ') }} order by valid_from) = 1 then '-infinity'
        else valid_from
    end as in_force_from,
    coalesce(valid_to, 'infinity') as in_force_to
from {{ dimension }}
where {{ keys[0] }} is not null
{%- endmacro -%}

{#- A condition: the version of `dimension_versions` or `document_versions` was valid at that moment. -#}
{%- macro valid_at(version, moment) -%}
    {{ moment }} >= {{ version }}.in_force_from
        and {{ moment }} < {{ version }}.in_force_to
{%- endmacro -%}

{#- A condition: the dimension's row, read as it is held, was valid on that date. -#}
{%- macro valid_on(dimension, day) -%}
    {{ day_start(day) }} >= {{ dimension }}.valid_from
        and ({{ dimension }}.valid_to is null or {{ day_start(day) }} < {{ dimension }}.valid_to)
{%- endmacro -%}

{#- A condition: a version was described by `other` at some moment of its own. Together they count from the later of
    `effective_at` and the moment from which `other` is in force. A member's first version stands for the time before it,
    too, but what was over by then is nothing that was ever said of it. -#}
{%- macro described_by(version, other) -%}
    {{ version }}.effective_at < {{ other }}.in_force_to
        and {{ other }}.in_force_from < {{ version }}.in_force_to
{%- endmacro -%}

{#- A condition: the validity of two versions overlaps. Together they count from the later of the moments from which they
    are in force. -#}
{%- macro validity_overlaps(one, other) -%}
    {{ one }}.in_force_from < {{ other }}.in_force_to
        and {{ other }}.in_force_from < {{ one }}.in_force_to
{%- endmacro -%}

{#- A fact's point-in-time join: the version of the dimension that was valid then; of a fact without one, all is null.

    `dimension` is the CTE that is joined and `natural_key` its column, or a list of them, which `fact_key` of the fact
    equals. Either
    `day` says on which date it was valid, and the CTE is the dimension as it is held; or `moment` says when, and the
    CTE is `dimension_versions` of it. `role` names a dimension that is joined once more (a role-playing dimension). -#}
{%- macro join_dimension(dimension, natural_key, fact_key, day=none, moment=none, role=none) -%}
    {%- set version = role or dimension -%}
    {%- set keys = [natural_key] if natural_key is string else natural_key -%}
    {%- set fact_keys = [fact_key] if fact_key is string else fact_key -%}
left join {{ dimension ~ (' as ' ~ role if role else '') }}
    on {% for key in keys -%}
        {{ fact_keys[loop.index0] }} = {{ version }}.{{ key }}
    and {% endfor -%}
    {{- valid_on(version, day) if moment is none else valid_at(version, moment) }}
{%- endmacro -%}

{#- The surrogate key of the version that was joined; -1, the unknown member, where there is none. -#}
{%- macro dimension_key(version) -%}
    coalesce({{ version }}.surrogate_key, -1)
{%- endmacro -%}

{#- What was last said of a member up to and with this day, carried forward over the days on which nothing was said.
    ISO dates sort as text, so the greatest pair (day, value) is the latest. -#}
{%- macro last_known(value, member, day) -%}
    (max(array[{{ day }}::text, {{ value }}]) filter (where {{ value }} is not null)
        over (partition by {{ member }} order by {{ day }}))[2]
{%- endmacro -%}
