{#- The statements of scd2 in their order. Those whose name begins with `write` change the table. Close and insert
    are two statements: in one, both would see the same snapshot and break the index of one current version. -#}

{#- For members of whom one thing is said that begins a version: nearly always all of them. -#}
{%- macro scd2_plain_steps(target, plain, spec) -%}
    {{ return([
        ('write_closed', scd2_write_closed(target, plain, spec)),
        ('write_next', scd2_write_next(target, plain, spec)),
    ]) }}
{%- endmacro -%}

{#- For the others, whose timelines are made anew. -#}
{%- macro scd2_timeline_steps(target, said, spec) -%}
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


{#- What is said that the table does not hold (`is_news`), beside one version of the member, as the condition
    `in_force` finds it, if there is one. What is said again of a moment after its beginning comes along, for news from
    before may change what it means; what a version was begun with does not. -#}
{%- macro scd2_beside(target, said, spec, in_force, is_before) -%}
{%- set at = spec.effective_at -%}
{%- set is_news -%}
    {%- if spec.inferred %}
    -- a stub says nothing of a member who is known
    (said.{{ spec.inferred }} is not true or held.surrogate_key is null or held.{{ spec.inferred }})
    and
    {%- endif %}
    (
        held.surrogate_key is null
        or ({{ columns_of(spec.tracked, 'held') }}) is distinct from ({{ columns_of(spec.tracked, 'said') }})
        {%- if spec.overwritten %}
        or (
            held.is_current
            and ({{ columns_of(spec.overwritten, 'held') }}) is distinct from ({{ columns_of(spec.overwritten, 'said') }})
        )
        {%- endif %}
        {%- if spec.inferred %}
        or (held.{{ spec.inferred }} and said.{{ spec.inferred }} is not true)
        {%- endif %}
    )
{%- endset -%}
select
    {{ columns_of(spec.said, 'said') }},
    held.ctid as held_place,
    held.valid_to as held_valid_to,
    {{ is_before }} as is_before,
    {{ is_news }} as is_news,
    held.valid_from is not distinct from said.{{ at }} as is_moment_held,
    held.surrogate_key is null
    or ({{ columns_of(spec.tracked, 'held') }}) is distinct from ({{ columns_of(spec.tracked, 'said') }}) as is_change
from {{ said }} as said
left join {{ target }} as held on {{ same(spec.natural, 'held', 'said') }} and {{ in_force }}
where held.valid_from is distinct from said.{{ at }} or {{ is_news }}
{%- endmacro -%}


{#- The member's version of today; what is said may be from before it, or from nobody knows when. -#}
{%- macro scd2_beside_today(target, said, spec) -%}
    {%- set is_before = 'coalesce(held.valid_from > said.' ~ spec.effective_at ~ ', held.valid_from is not null)' -%}
    {{ return(scd2_beside(target, said, spec, 'held.is_current', is_before)) }}
{%- endmacro -%}

{#- The member's version of that moment; what is said may be from before them all. -#}
{%- macro scd2_beside_history(target, said, spec) -%}
    {%- set at = 'said.' ~ spec.effective_at -%}
    {{ return(scd2_beside(
        target, said, spec, 'held.valid_from <= ' ~ at ~ ' and held.valid_to > ' ~ at, 'held.surrogate_key is null')) }}
{%- endmacro -%}


{#- All that is said. As a rule little of it is news, and only that goes further than this join, which has no more to do
    where a long history is held. Its members are few, so that from here on they are looked up, and the table is not
    read for them. -#}
{%- macro scd2_compared(target, said, spec) -%}
create temporary table {{ said }}_compared as
{{ scd2_beside_today(target, 'pg_temp.' ~ said, spec) }};
set local random_page_cost = 1.1
{%- endmacro -%}


{#- The news with its neighbours. What is from before the versions of today is looked up in the history. A row is plain
    when it is the only one of its member, and begins a version. -#}
{%- macro scd2_differing(target, said, spec) -%}
{%- set compared = 'pg_temp.' ~ said ~ '_compared' -%}
analyze {{ compared }} ({{ spec.natural | join(', ') }}, is_before);
create temporary table {{ said }}_differing as
select
    *,
    {{ 'false' if spec.inferred else 'is_change and not is_moment_held' }}
    and count(*) over (partition by {{ spec.natural | join(', ') }}) = 1 as is_plain
from (
    select * from {{ compared }} as said
    where
        not is_before
        and exists (
            select 1 from {{ compared }} as news
            where (news.is_news or news.is_before) and {{ same(spec.natural, 'news', 'said') }}
        )
    union all
    {{ scd2_beside_history(target, '(select * from ' ~ compared ~ ' where is_before)', spec) | indent }}
) as said
{%- endmacro -%}


{#- The version in force ends where the next begins. A row's place saves looking for it. -#}
{%- macro scd2_write_closed(target, plain, spec) -%}
update {{ target }} as held
set
    valid_to = said.{{ spec.effective_at }},
    is_current = false,
    etl_batch_id = {{ batch_of_run() }},
    updated_at = now()
from {{ plain }} as said
where held.ctid = said.held_place
{%- endmacro -%}


{#- The next ends where the one it divides ended; from before them all, at the member's first. -#}
{%- macro scd2_write_next(target, plain, spec) -%}
{%- set names = spec.natural + spec.tracked + spec.overwritten -%}
insert into {{ target }} ({{ names | join(', ') }}, valid_from, valid_to, is_current, etl_batch_id)
select
    {{ names | join(', ') }},
    {{ spec.effective_at }},
    valid_to,
    valid_to is null,
    {{ batch_of_run() }}
from (
    select
        *,
        case
            when is_before
                then (select min(held.valid_from) from {{ target }} as held where {{ same(spec.natural, 'held', 'said') }})
            else held_valid_to
        end as valid_to
    from {{ plain }} as said
) as next
order by {{ spec.natural | join(', ') }}
{%- endmacro -%}


{#- Every row that matters of the other members of whom there is news. The model is asked once more where stubs are to
    be sorted out, and where a moment held is said otherwise: then it may be said in both ways. -#}
{%- macro scd2_incoming(target, said, spec) -%}
create temporary table {{ said }}_incoming as
select distinct {{ columns_of(spec.said, 'said') }}
from pg_temp.{{ said ~ ('' if spec.is_asked_again else '_differing') }} as said
where exists (
    select 1 from pg_temp.{{ said }}_differing as news
    where news.is_news and not news.is_plain and {{ same(spec.natural, 'news', 'said') }}
);
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
    {{ same(spec.natural, 'met', 'said') }}
    and said.{{ stub }} is not true
    and said.{{ at }} = met.first_known
    and met.first_met < met.first_known
    and not exists (
        select 1 from {{ target }} as held
        where {{ same(spec.natural, 'held', 'said') }} and held.{{ stub }} is not true
    );
delete from pg_temp.{{ said }}_incoming as said
where said.{{ stub }} and (
    exists (
        select 1 from {{ target }} as held
        where {{ same(spec.natural, 'held', 'said') }}
            and (held.{{ stub }} is not true or held.valid_from <= said.{{ at }})
    )
    or exists (
        select 1 from pg_temp.{{ said }}_incoming as other
        where {{ same(spec.natural, 'other', 'said') }}
            and (other.{{ stub }} is not true or other.{{ at }} < said.{{ at }})
    )
);
update {{ target }} as held
set
    {{ set_columns(spec.tracked + spec.overwritten + [stub], 'said') }},
    valid_from = least(held.valid_from, said.{{ at }}),
    etl_batch_id = {{ batch_of_run() }},
    updated_at = now()
from (
    select distinct on ({{ key_list }}) *
    from pg_temp.{{ said }}_incoming
    order by {{ key_list }}, {{ at }}
) as said
where held.{{ stub }} and {{ same(spec.natural, 'held', 'said') }}
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
        ctid as held_place
    from {{ target }} as held
    where exists (select 1 from pg_temp.{{ said }}_incoming as said where {{ same(keys, 'held', 'said') }})
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
        held.held_place,
        held.valid_to as held_valid_to,
        coalesce(
            said.{{ at }} is not null
            and ({{ columns_of(tracked, 'held') }}) is distinct from ({{ columns_of(tracked, 'said') }}), false
        ) as is_restated,
        coalesce(held.valid_from, said.{{ at }}) as valid_from
    from held
    full join pg_temp.{{ said }}_incoming as said
        on {{ same(keys, 'held', 'said') }} and held.valid_from = said.{{ at }}
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
    held_place,
    valid_from,
    valid_to
from chained
where surrogate_key is null or is_restated or valid_to is distinct from held_valid_to;
analyze {{ said }}_versions (surrogate_key)
{%- endmacro -%}


{#- Restate and close: before the insert, so that no member has two current versions at any moment. -#}
{%- macro scd2_write_held(target, said, spec) -%}
update {{ target }} as held
set
    {{ set_columns(spec.tracked, 'version') }},
    valid_to = version.valid_to,
    is_current = version.valid_to is null,
    etl_batch_id = {{ batch_of_run() }},
    updated_at = now()
from pg_temp.{{ said }}_versions as version
where held.ctid = version.held_place
{%- endmacro -%}


{%- macro scd2_write_new(target, said, spec) -%}
{%- set names = spec.natural + spec.tracked + spec.overwritten + ([spec.inferred] if spec.inferred else []) -%}
insert into {{ target }} ({{ names | join(', ') }}, valid_from, valid_to, is_current, etl_batch_id)
select
    {{ names | join(', ') }},
    valid_from,
    valid_to,
    valid_to is null,
    {{ batch_of_run() }}
from pg_temp.{{ said }}_versions
where surrogate_key is null
order by {{ spec.natural | join(', ') }}, valid_from
{%- endmacro -%}


{#- Columns whose history nobody asked for: the last that was said, unless it is older than the version in force. -#}
{%- macro scd2_overwrite(target, said, spec) -%}
update {{ target }} as held
set
    {{ set_columns(spec.overwritten, 'said') }},
    etl_batch_id = {{ batch_of_run() }},
    updated_at = now()
from (
    select distinct on ({{ spec.natural | join(', ') }}) *
    from pg_temp.{{ said }}_incoming
    order by {{ spec.natural | join(', ') }}, {{ spec.effective_at }} desc
) as said
where
    {{ same(spec.natural, 'held', 'said') }}
    and held.is_current
    and held.valid_from <= said.{{ spec.effective_at }}
    and ({{ columns_of(spec.overwritten, 'held') }}) is distinct from ({{ columns_of(spec.overwritten, 'said') }})
{%- endmacro -%}
