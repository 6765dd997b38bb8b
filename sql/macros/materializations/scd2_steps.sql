{#- The statements of scd2 in their order. Those whose name begins with `write` change the table. Close and insert
    are two statements: in one, both would see the same snapshot and break the index of one current version. -#}
{%- macro scd2_steps(target, said, spec) -%}
    {%- set steps = [('incoming', scd2_incoming(target, said, spec))] -%}
    {%- if spec.inferred -%}
        {%- do steps.append(('write_completed', scd2_complete_stubs(target, said, spec))) -%}
    {%- endif -%}
    {%- do steps.append(('versions', scd2_versions(target, said, spec))) -%}
    {%- do steps.append(('write_held', scd2_write_held(target, said, spec))) -%}
    {%- do steps.append(('write_new', scd2_write_new(target, said, spec))) -%}
    {%- if spec.overwritten -%}
        {%- do steps.append(('write_overwritten', scd2_overwrite(target, said, spec))) -%}
    {%- endif -%}
    {{ return(steps) }}
{%- endmacro -%}


{#- `a.x = b.x and a.y = b.y` -#}
{%- macro scd2_same(names, a, b) -%}
    {%- for name in names -%}{{ a }}.{{ name }} = {{ b }}.{{ name }}{{ ' and ' if not loop.last }}{%- endfor -%}
{%- endmacro -%}

{#- `a.x, a.y` -#}
{%- macro scd2_of(names, a) -%}
    {%- for name in names -%}{{ a }}.{{ name }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro -%}

{#- `x = a.x, y = a.y` -#}
{%- macro scd2_set(names, a) -%}
    {%- for name in names -%}{{ name }} = {{ a }}.{{ name }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro -%}


{#- The members of whom something is said that the table does not hold yet: as a rule few, and only they go further
    than this join. -#}
{%- macro scd2_differing(target, said, spec) -%}
{%- set at = spec.effective_at -%}
create temporary table {{ said }}_differing as
select distinct {{ scd2_of(spec.natural, 'said') }}
from pg_temp.{{ said }} as said
left join {{ target }} as held
    on {{ scd2_same(spec.natural, 'held', 'said') }}
    and held.valid_from <= said.{{ at }}
    and (held.valid_to is null or held.valid_to > said.{{ at }})
where
    {%- if spec.inferred %}
    -- a stub says nothing of a member who is known
    (said.{{ spec.inferred }} is not true or held.surrogate_key is null or held.{{ spec.inferred }})
    and
    {%- endif %}
    (
        held.surrogate_key is null
        or ({{ scd2_of(spec.tracked, 'held') }}) is distinct from ({{ scd2_of(spec.tracked, 'said') }})
        {%- if spec.overwritten %}
        or (
            held.is_current
            and ({{ scd2_of(spec.overwritten, 'held') }}) is distinct from ({{ scd2_of(spec.overwritten, 'said') }})
        )
        {%- endif %}
        {%- if spec.inferred %}
        or (held.{{ spec.inferred }} and said.{{ spec.inferred }} is not true)
        {%- endif %}
    );
analyze {{ said }}_differing
{%- endmacro -%}


{#- Every row said of those members. The model is asked once more, which costs less than keeping all it said. -#}
{%- macro scd2_incoming(target, said, spec) -%}
create temporary table {{ said }}_incoming as
select distinct said.*
from pg_temp.{{ said }} as said
inner join pg_temp.{{ said }}_differing as differing on {{ scd2_same(spec.natural, 'differing', 'said') }};
analyze {{ said }}_incoming ({{ spec.natural | join(', ') }})
{%- endmacro -%}


{#- Let a member begin where it was first met; then keep no stub of a member who is known, and one at most of the
    others; then complete the stubs held. -#}
{%- macro scd2_complete_stubs(target, said, spec) -%}
{%- set at, stub, key_list = spec.effective_at, spec.inferred, spec.natural | join(', ') -%}
update pg_temp.{{ said }}_incoming as said
set {{ at }} = met.first_met
from (
    select {{ key_list }}, min({{ at }}) filter (where {{ stub }}) as first_met,
        min({{ at }}) filter (where {{ stub }} is not true) as first_known
    from pg_temp.{{ said }}_incoming
    group by {{ key_list }}
) as met
where
    {{ scd2_same(spec.natural, 'met', 'said') }}
    and said.{{ stub }} is not true
    and said.{{ at }} = met.first_known
    and met.first_met < met.first_known
    and not exists (
        select 1 from {{ target }} as held
        where {{ scd2_same(spec.natural, 'held', 'said') }} and held.{{ stub }} is not true
    );
delete from pg_temp.{{ said }}_incoming as said
where said.{{ stub }} and (
    exists (
        select 1 from {{ target }} as held
        where {{ scd2_same(spec.natural, 'held', 'said') }}
            and (held.{{ stub }} is not true or held.valid_from <= said.{{ at }})
    )
    or exists (
        select 1 from pg_temp.{{ said }}_incoming as other
        where {{ scd2_same(spec.natural, 'other', 'said') }}
            and (other.{{ stub }} is not true or other.{{ at }} < said.{{ at }})
    )
);
update {{ target }} as held
set
    {{ scd2_set(spec.tracked + spec.overwritten + [stub], 'said') }},
    valid_from = least(held.valid_from, said.{{ at }}),
    etl_batch_id = {{ scd2_batch() }},
    updated_at = now()
from (
    select distinct on ({{ key_list }}) *
    from pg_temp.{{ said }}_incoming
    order by {{ key_list }}, {{ at }}
) as said
where held.{{ stub }} and {{ scd2_same(spec.natural, 'held', 'said') }}
{%- endmacro -%}


{#- The timeline of those members: what is held, as restated, and what is new, each ending where the next begins.
    A moment at which no tracked column changes makes no version. What need not be written is left out. -#}
{%- macro scd2_versions(target, said, spec) -%}
{%- set at, keys, tracked = spec.effective_at, spec.natural, spec.tracked -%}
{%- set rest = spec.overwritten + ([spec.inferred] if spec.inferred else []) -%}
create temporary table {{ said }}_versions as
with

held as (
    select
        *,
        ctid as place
    from {{ target }} as held
    where exists (select 1 from pg_temp.{{ said }}_incoming as said where {{ scd2_same(keys, 'held', 'said') }})
),

moments as (
    select
        {% for key in keys %}coalesce(held.{{ key }}, said.{{ key }}) as {{ key }},
        {% endfor -%}
        {% for name in tracked %}case when said.{{ at }} is null then held.{{ name }} else said.{{ name }} end as {{ name }},
        {% endfor -%}
        {% for name in rest %}case when held.surrogate_key is null then said.{{ name }} else held.{{ name }} end as {{ name }},
        {% endfor -%}
        held.surrogate_key,
        held.place,
        held.valid_to as held_valid_to,
        coalesce(
            said.{{ at }} is not null
            and ({{ scd2_of(tracked, 'held') }}) is distinct from ({{ scd2_of(tracked, 'said') }}), false
        ) as is_restated,
        coalesce(held.valid_from, said.{{ at }}) as valid_from
    from held
    full join pg_temp.{{ said }}_incoming as said
        on {{ scd2_same(keys, 'held', 'said') }} and held.valid_from = said.{{ at }}
),

compared as (
    select
        *,
        lag(valid_from) over timeline is null
        or ({{ tracked | join(', ') }})
        is distinct from ({% for name in tracked %}lag({{ name }}) over timeline{{ ', ' if not loop.last }}{% endfor %})
            as is_change
    from moments
    window timeline as (partition by {{ keys | join(', ') }} order by valid_from)
),

chained as (
    select
        *,
        lead(valid_from) over (partition by {{ keys | join(', ') }} order by valid_from) as valid_to
    from compared
    where surrogate_key is not null or is_change
)

select
    {{ (keys + tracked + rest) | join(', ') }},
    surrogate_key,
    place,
    valid_from,
    valid_to
from chained
where surrogate_key is null or is_restated or valid_to is distinct from held_valid_to;
analyze {{ said }}_versions (surrogate_key)
{%- endmacro -%}


{#- Restate and close: before the insert, so that no member has two current versions at any moment. A row's place saves
    looking for it; nobody else writes while the table is locked. -#}
{%- macro scd2_write_held(target, said, spec) -%}
update {{ target }} as held
set
    {{ scd2_set(spec.tracked, 'version') }},
    valid_to = version.valid_to,
    is_current = version.valid_to is null,
    etl_batch_id = {{ scd2_batch() }},
    updated_at = now()
from pg_temp.{{ said }}_versions as version
where held.ctid = version.place
{%- endmacro -%}


{%- macro scd2_write_new(target, said, spec) -%}
{%- set names = spec.natural + spec.tracked + spec.overwritten + ([spec.inferred] if spec.inferred else []) -%}
insert into {{ target }} ({{ names | join(', ') }}, valid_from, valid_to, is_current, etl_batch_id)
select
    {{ names | join(', ') }},
    valid_from,
    valid_to,
    valid_to is null,
    {{ scd2_batch() }}
from pg_temp.{{ said }}_versions
where surrogate_key is null
order by {{ spec.natural | join(', ') }}, valid_from
{%- endmacro -%}


{#- Columns whose history nobody asked for: the last that was said, unless it is older than the version in force. -#}
{%- macro scd2_overwrite(target, said, spec) -%}
update {{ target }} as held
set
    {{ scd2_set(spec.overwritten, 'said') }},
    etl_batch_id = {{ scd2_batch() }},
    updated_at = now()
from (
    select distinct on ({{ spec.natural | join(', ') }}) *
    from pg_temp.{{ said }}_incoming
    order by {{ spec.natural | join(', ') }}, {{ spec.effective_at }} desc
) as said
where
    {{ scd2_same(spec.natural, 'held', 'said') }}
    and held.is_current
    and held.valid_from <= said.{{ spec.effective_at }}
    and ({{ scd2_of(spec.overwritten, 'held') }}) is distinct from ({{ scd2_of(spec.overwritten, 'said') }})
{%- endmacro -%}
