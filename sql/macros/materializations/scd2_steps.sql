{#- The statements of scd2, in the order in which they run:

    1. scd2_compare_all            the model beside the current versions; nothing more is done where nothing changed
    2. scd2_collect_changes        the members of whom something changed, late rows beside the version they divide
    3. scd2_simple_steps           one change of a member: close its version and insert the next
    4. scd2_collect_timeline_rows  everything else: all rows of these members
    5. scd2_timeline_steps         complete inferred members, rebuild timelines, write what of them differs

    In all of them `incoming` is a row of the model and `existing` one of the table. Steps whose name begins with
    `write` change the table. Close and insert are two statements: in one, both would see the same snapshot and break
    the index of one current version. -#}

{#- For members with one incoming row that begins a version: nearly always all of them. -#}
{%- macro scd2_simple_steps(target, simple, spec) -%}
    {{ return([
        ('write_closed', scd2_close_versions(target, simple, spec)),
        ('write_next', scd2_insert_next_versions(target, simple, spec)),
    ]) }}
{%- endmacro -%}

{#- For the others, whose timelines are rebuilt. -#}
{%- macro scd2_timeline_steps(target, spec) -%}
    {%- set steps = [] -%}
    {%- if spec.inferred_flag -%}
        {%- do steps.append(('write_completed', scd2_complete_inferred(target, spec))) -%}
    {%- endif -%}
    {%- do steps.append(('versions', scd2_rebuild_timelines(target, spec))) -%}
    {%- do steps.append(('write_existing', scd2_update_versions(target, spec))) -%}
    {%- do steps.append(('write_new', scd2_insert_versions(target, spec))) -%}
    {%- if spec.overwritten -%}
        {%- do steps.append(('write_overwritten', scd2_overwrite_current(target, spec))) -%}
    {%- endif -%}
    {{ return(steps) }}
{%- endmacro -%}


{#- Incoming rows beside one version of their member, the one that `version_condition` finds, if there is one;
    `precedes` says whether a row is from before it. Each is marked:

    - `is_new_information`: the table does not hold what it says.
    - `is_existing_moment`: it is of the moment at which that version begins.
    - `starts_version`: a tracked column differs.

    A row that is no new information comes along where it is of a later moment than its version, for a late row from in
    between may change what it means; the row that a version was made of does not. -#}
{%- macro scd2_compare(target, incoming, spec, version_condition, precedes) -%}
{%- set at, inferred = spec.effective_at, spec.inferred_flag -%}
{%- set is_new_information -%}
    {%- if inferred %}
    -- an inferred row says nothing of a member who is known
    (incoming.{{ inferred }} is not true or existing.surrogate_key is null or existing.{{ inferred }})
    and
    {%- endif %}
    (
        existing.surrogate_key is null
        or {{ columns_differ(spec.tracked, 'existing', 'incoming') }}
        {%- if spec.overwritten %}
        or (existing.is_current and {{ columns_differ(spec.overwritten, 'existing', 'incoming') }})
        {%- endif %}
        {%- if inferred %}
        or (existing.{{ inferred }} and incoming.{{ inferred }} is not true)
        {%- endif %}
    )
{%- endset -%}
select
    {{ qualified_columns(spec.incoming_columns, 'incoming') }},
    existing.ctid as existing_ctid,
    existing.valid_to as existing_valid_to,
    {{ precedes }} as precedes_version,
    {{ is_new_information }} as is_new_information,
    existing.valid_from is not distinct from incoming.{{ at }} as is_existing_moment,
    existing.surrogate_key is null or {{ columns_differ(spec.tracked, 'existing', 'incoming') }} as starts_version
from {{ incoming }} as incoming
left join {{ target }} as existing
    on {{ columns_equal(spec.natural_key, 'existing', 'incoming') }}
    and {{ version_condition }}
where existing.valid_from is distinct from incoming.{{ at }} or {{ is_new_information }}
{%- endmacro -%}


{#- Beside the member's current version; a row may be from before it, or from nobody knows when. -#}
{%- macro scd2_compare_with_current(target, incoming, spec) -%}
    {%- set at = 'incoming.' ~ spec.effective_at -%}
    {{ return(scd2_compare(
        target, incoming, spec,
        version_condition='existing.is_current',
        precedes='coalesce(existing.valid_from > ' ~ at ~ ', existing.valid_from is not null)')) }}
{%- endmacro -%}

{#- Beside the member's version of the row's own moment; a row may be from before them all. -#}
{%- macro scd2_compare_with_history(target, incoming, spec) -%}
    {%- set at = 'incoming.' ~ spec.effective_at -%}
    {{ return(scd2_compare(
        target, incoming, spec,
        version_condition='existing.valid_from <= ' ~ at ~ ' and existing.valid_to > ' ~ at,
        precedes='existing.surrogate_key is null')) }}
{%- endmacro -%}


{#- The whole model beside the current versions. As a rule little of it is new, and only that goes further than this
    join, which has no more to do where a long history is held. Its members are few, so that from here on they are
    looked up, and the table is not read for them. -#}
{%- macro scd2_compare_all(target, spec) -%}
create temporary table {{ spec.compared }} as
{{ scd2_compare_with_current(target, spec.incoming, spec) }};
-- Have the planner look those few members up in the index rather than read the table.
set local random_page_cost = 1.1
{%- endmacro -%}


{#- The rows of members with new information. Late rows, from before the current version, are looked up in the history.
    A row is simple when it is the only one of its member, and begins a version. -#}
{%- macro scd2_collect_changes(target, spec) -%}
{%- set key_list = spec.natural_key | join(', ') -%}
analyze {{ spec.compared }} ({{ key_list }}, precedes_version);
create temporary table {{ spec.changes }} as
select
    *,
    {{ 'false' if spec.inferred_flag else 'starts_version and not is_existing_moment' }}
    and count(*) over (partition by {{ key_list }}) = 1 as is_simple
from (
    select * from {{ spec.compared }} as incoming
    where
        not precedes_version
        and exists (
            select 1 from {{ spec.compared }} as news
            where
                (news.is_new_information or news.precedes_version)
                and {{ columns_equal(spec.natural_key, 'news', 'incoming') }}
        )
    union all
    {{ scd2_compare_with_history(
        target, '(select * from ' ~ spec.compared ~ ' where precedes_version)', spec) | indent }}
) as incoming
{%- endmacro -%}


{#- Simple, first step: the version ends where the next begins. Its ctid saves looking for it. -#}
{%- macro scd2_close_versions(target, simple, spec) -%}
update {{ target }} as existing
set
    valid_to = incoming.{{ spec.effective_at }},
    is_current = false,
    etl_batch_id = {{ run_batch_id() }},
    updated_at = now()
from {{ simple }} as incoming
where existing.ctid = incoming.existing_ctid
{%- endmacro -%}


{#- Simple, second step: the next version ends where the one that it divides ended; from before them all, at the
    member's first. -#}
{%- macro scd2_insert_next_versions(target, simple, spec) -%}
{%- set names = spec.natural_key + spec.tracked + spec.overwritten -%}
with

next_version as (
    select
        *,
        case
            when precedes_version
                then (
                    select min(existing.valid_from) from {{ target }} as existing
                    where {{ columns_equal(spec.natural_key, 'existing', 'incoming') }}
                )
            else existing_valid_to
        end as valid_to
    from {{ simple }} as incoming
),

-- A member's first version stands for the time before it, too.
noted as (
    insert into {{ spec.moments }}
    select min(case when precedes_version and valid_to is not null then '-infinity' else {{ spec.effective_at }} end)
    from next_version
)

insert into {{ target }} ({{ names | join(', ') }}, valid_from, valid_to, is_current, etl_batch_id)
select
    {{ names | join(', ') }},
    {{ spec.effective_at }},
    valid_to,
    valid_to is null,
    {{ run_batch_id() }}
from next_version
order by {{ spec.natural_key | join(', ') }}
{%- endmacro -%}


{#- Every row that matters of the members whose timelines are rebuilt. The model is read once more where inferred
    members are to be sorted out, and where an existing moment is restated: then it may be said in both ways. -#}
{%- macro scd2_collect_timeline_rows(spec) -%}
{%- set key_list = spec.natural_key | join(', ') -%}
create temporary table {{ spec.timeline_rows }} as
select distinct {{ qualified_columns(spec.incoming_columns, 'incoming') }}
from {{ spec.incoming if spec.rereads_model else spec.changes }} as incoming
where exists (
    select 1 from {{ spec.changes }} as news
    where
        news.is_new_information and not news.is_simple
        and {{ columns_equal(spec.natural_key, 'news', 'incoming') }}
);
analyze {{ spec.timeline_rows }} ({{ key_list }})
{%- endmacro -%}


{#- Inferred members, in three steps: let a member begin where it was first referred to; keep no inferred row of a
    member who is known, and one at most of the others; complete those that the table has. -#}
{%- macro scd2_complete_inferred(target, spec) -%}
{%- set at, inferred, key_list = spec.effective_at, spec.inferred_flag, spec.natural_key | join(', ') -%}
{%- set same_member = columns_equal(spec.natural_key, 'existing', 'incoming') -%}
-- a member that is referred to and described in one batch begins at the reference, unless the table knows it already
update {{ spec.timeline_rows }} as incoming
set {{ at }} = firsts.first_referenced
from (
    select
        {{ key_list }},
        min({{ at }}) filter (where {{ inferred }}) as first_referenced,
        min({{ at }}) filter (where {{ inferred }} is not true) as first_described
    from {{ spec.timeline_rows }}
    group by {{ key_list }}
) as firsts
where
    {{ columns_equal(spec.natural_key, 'firsts', 'incoming') }}
    and incoming.{{ inferred }} is not true
    and incoming.{{ at }} = firsts.first_described
    and firsts.first_referenced < firsts.first_described
    and not exists (
        select 1 from {{ target }} as existing
        where {{ same_member }} and existing.{{ inferred }} is not true
    );
-- an inferred row counts only where nothing better is known, and nothing earlier
delete from {{ spec.timeline_rows }} as incoming
where incoming.{{ inferred }} and (
    exists (
        select 1 from {{ target }} as existing
        where {{ same_member }}
            and (existing.{{ inferred }} is not true or existing.valid_from <= incoming.{{ at }})
    )
    or exists (
        select 1 from {{ spec.timeline_rows }} as other
        where {{ columns_equal(spec.natural_key, 'other', 'incoming') }}
            and (other.{{ inferred }} is not true or other.{{ at }} < incoming.{{ at }})
    )
);
-- the first row of a member that the table has inferred becomes that version, under its surrogate key
with completed as (
    update {{ target }} as existing
    set
        {{ column_assignments(spec.tracked + spec.overwritten + [inferred], 'incoming') | indent }},
        valid_from = least(existing.valid_from, incoming.{{ at }}),
        etl_batch_id = {{ run_batch_id() }},
        updated_at = now()
    from (
        select distinct on ({{ key_list }}) *
        from {{ spec.timeline_rows }}
        order by {{ key_list }}, {{ at }}
    ) as incoming
    where existing.{{ inferred }} and {{ same_member }}
    returning 1
)

-- What refers to it may be of any time: a member's first version stands for the time before it, too, so that one that
-- is referred to by another's first version is met in older facts than that begins with.
insert into {{ spec.moments }} select '-infinity'::timestamptz from completed
{%- endmacro -%}


{#- The timelines of these members: existing versions, as restated, and new ones, each ending where the next begins.
    A moment at which no tracked column changes makes no version. What need not be written is left out. -#}
{%- macro scd2_rebuild_timelines(target, spec) -%}
{%- set at, keys, tracked = spec.effective_at, spec.natural_key, spec.tracked -%}
{%- set rest = spec.overwritten + ([spec.inferred_flag] if spec.inferred_flag else []) -%}
create temporary table {{ spec.versions }} as
with

existing as (
    select
        *,
        ctid as existing_ctid
    from {{ target }} as existing
    where exists (
        select 1 from {{ spec.timeline_rows }} as incoming
        where {{ columns_equal(keys, 'existing', 'incoming') }}
    )
),

-- Each moment at which a version begins or may begin. Incoming rows win, but not over columns that have no history.
moments as (
    select
        {% for key in keys %}coalesce(existing.{{ key }}, incoming.{{ key }}) as {{ key }},
        {% endfor -%}
        {% for name in tracked -%}
        case when incoming.{{ at }} is null then existing.{{ name }} else incoming.{{ name }} end as {{ name }},
        {% endfor -%}
        {% for name in rest -%}
        case when existing.surrogate_key is null then incoming.{{ name }} else existing.{{ name }} end as {{ name }},
        {% endfor -%}
        existing.surrogate_key,
        existing.existing_ctid,
        existing.valid_to as existing_valid_to,
        coalesce(
            incoming.{{ at }} is not null and {{ columns_differ(tracked, 'existing', 'incoming') }}, false
        ) as is_restated,
        coalesce(existing.valid_from, incoming.{{ at }}) as valid_from
    from existing
    full join {{ spec.timeline_rows }} as incoming
        on {{ columns_equal(keys, 'existing', 'incoming') }} and existing.valid_from = incoming.{{ at }}
),

compared as (
    select
        *,
        lag(valid_from) over timeline is null as is_first,
        lag(valid_from) over timeline is null
        or ({{ tracked | join(', ') }})
        is distinct from ({% for name in tracked %}lag({{ name }}) over timeline{{ ', ' if not loop.last }}{% endfor %})
            as starts_version
    from moments
    window timeline as (partition by {{ keys | join(', ') }} order by valid_from)
),

-- An existing version stays one, though a late row made it equal to the one before: its key may be in a fact.
chained as (
    select
        *,
        lead(valid_from) over (partition by {{ keys | join(', ') }} order by valid_from) as valid_to
    from compared
    where surrogate_key is not null or starts_version
)

select
    {{ (keys + tracked + rest) | join(', ') }},
    surrogate_key,
    existing_ctid,
    valid_from,
    valid_to,
    is_restated,
    is_first
from chained
where surrogate_key is null or is_restated or valid_to is distinct from existing_valid_to;
analyze {{ spec.versions }} (surrogate_key);
-- A member's first version stands for the time before it, too, unless nobody knew the member.
insert into {{ spec.moments }}
select
    min(
        case
            when not is_first or (surrogate_key is null and not exists (
                select from {{ target }} as existing where {{ columns_equal(keys, 'existing', 'version') }}
            )) then valid_from
            else '-infinity'
        end
    )
from {{ spec.versions }} as version
where surrogate_key is null or is_restated
{%- endmacro -%}


{#- Restate and close: before the insert, so that no member has two current versions at any moment. -#}
{%- macro scd2_update_versions(target, spec) -%}
update {{ target }} as existing
set
    {{ column_assignments(spec.tracked, 'version') }},
    valid_to = version.valid_to,
    is_current = version.valid_to is null,
    etl_batch_id = {{ run_batch_id() }},
    updated_at = now()
from {{ spec.versions }} as version
where existing.ctid = version.existing_ctid
{%- endmacro -%}


{#- In the order of their keys, so that surrogate keys come out alike wherever the same rows are loaded. -#}
{%- macro scd2_insert_versions(target, spec) -%}
{%- set rest = spec.overwritten + ([spec.inferred_flag] if spec.inferred_flag else []) -%}
{%- set names = spec.natural_key + spec.tracked + rest -%}
insert into {{ target }} ({{ names | join(', ') }}, valid_from, valid_to, is_current, etl_batch_id)
select
    {{ names | join(', ') }},
    valid_from,
    valid_to,
    valid_to is null,
    {{ run_batch_id() }}
from {{ spec.versions }}
where surrogate_key is null
order by {{ spec.natural_key | join(', ') }}, valid_from
{%- endmacro -%}


{#- Columns without a history (type 1): the last that was said, unless it is older than the current version. -#}
{%- macro scd2_overwrite_current(target, spec) -%}
{%- set key_list = spec.natural_key | join(', ') -%}
update {{ target }} as existing
set
    {{ column_assignments(spec.overwritten, 'incoming') }},
    etl_batch_id = {{ run_batch_id() }},
    updated_at = now()
from (
    select distinct on ({{ key_list }}) *
    from {{ spec.timeline_rows }}
    order by {{ key_list }}, {{ spec.effective_at }} desc
) as incoming
where
    {{ columns_equal(spec.natural_key, 'existing', 'incoming') }}
    and existing.is_current
    and existing.valid_from <= incoming.{{ spec.effective_at }}
    and {{ columns_differ(spec.overwritten, 'existing', 'incoming') }}
{%- endmacro -%}
