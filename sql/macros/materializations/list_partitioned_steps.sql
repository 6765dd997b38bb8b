{#- What the model's config says, with its defaults. -#}
{%- macro list_partitioned_spec() -%}
    {%- set unique_key = config.require('unique_key') -%}
    {{ return({
        'said': model.alias ~ '__said',
        'arrived': model.alias ~ '__arrived',
        'partition_by': config.require('partition_by'),
        'unique_key': [unique_key] if unique_key is string else unique_key,
        'moves_by': config.get('moves_by'),
        'not_null': config.get('not_null', []),
        'undeclared': [],
    }) }}
{%- endmacro -%}


{#- Add to the spec what the model's columns are: `types` by name; `stamps`, what the columns kept here get in a row
    that is written; `matched`, the columns that rows are matched by. -#}
{%- macro list_partitioned_describe(spec) -%}
    {%- set types = column_types('pg_temp.' ~ spec.said) -%}
    {%- set stamps = {} -%}
    {%- for name, stamp in {'updated_at': 'now()', 'etl_batch_id': batch_of_run()}.items() if name not in types -%}
        {%- do stamps.update({name: stamp}) -%}
    {%- endfor -%}
    {%- set matched = (spec.unique_key + ([spec.moves_by] if spec.moves_by else [])) | unique | list -%}
    {%- set slice = [config.get('slice_by')] if config.get('slice_by') else [] -%}
    {%- set missing = (matched + spec.not_null + slice) | reject('in', types) | list -%}
    {%- do spec.update({'types': types, 'stamps': stamps, 'matched': matched}) -%}
    {%- if spec.partition_by not in spec.unique_key -%}
        {{ exceptions.raise_compiler_error(this ~ ": the unique_key must have " ~ spec.partition_by ~ " in it, by which"
            " the table is partitioned.") }}
    {%- elif missing -%}
        {{ exceptions.raise_compiler_error(this ~ ": the config names columns that the model does not select: "
            ~ missing | join(', ')) }}
    {%- endif -%}
{%- endmacro -%}


{#- Refuse rows that say one value of `moves_by` in two partitions: each would delete the other. -#}
{%- macro list_partitioned_refuse_split(spec) -%}
    {%- if spec.moves_by -%}
        {%- set split = run_query(
            "select count(*) from (select 1 from " ~ spec.said ~ " where " ~ spec.moves_by ~ " is not null group by "
            ~ spec.moves_by ~ " having min(" ~ spec.partition_by ~ ") <> max(" ~ spec.partition_by ~ ")) as split"
        ).rows[0][0] -%}
        {%- if split -%}
            {{ exceptions.raise_compiler_error(this ~ ": the model says " ~ split ~ " values of " ~ spec.moves_by
                ~ " in more than one " ~ spec.partition_by ~ ". The table was left as it was. Each is in one only.") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}


{#- Whether the table is there, partitioned and keyed as the config says. What is there otherwise is refused, and a
    full refresh drops it. PostgreSQL refuses to drop what a view of somebody else reads. -#}
{%- macro list_partitioned_is_held(spec) -%}
    {%- set found = run_query(
        "select relkind, pg_get_partkeydef(oid) as partitioned, (select array_agg(attname::text order by attname)"
        " from pg_index inner join pg_attribute on attrelid = indrelid and attnum = any(indkey)"
        " where indrelid = pg_class.oid and indisprimary) = array['" ~ spec.unique_key | sort | join("', '") ~ "'] as is_keyed"
        " from pg_class where oid = to_regclass('" ~ this ~ "')"
    ).rows -%}
    {%- if not found -%}
        {{ return(false) }}
    {%- elif should_full_refresh() -%}
        {%- do run_query(
            "drop " ~ {'v': 'view', 'm': 'materialized view'}.get(found[0]['relkind'], 'table') ~ " " ~ this) -%}
        {{ return(false) }}
    {%- elif found[0]['partitioned'] != 'LIST (' ~ spec.partition_by ~ ')' or not found[0]['is_keyed'] -%}
        {{ exceptions.raise_compiler_error(this ~ " is held otherwise than partitioned by list (" ~ spec.partition_by
            ~ ") with the primary key (" ~ spec.unique_key | join(', ') ~ "). It was left as it was. To make it anew, run dbt"
            " with --full-refresh.") }}
    {%- endif -%}
    {{ return(true) }}
{%- endmacro -%}


{#- Make the table's columns the model's; one that the model lost may be null from now on. What is to be declared not
    null is `undeclared` in the spec, until the rows are written. -#}
{%- macro list_partitioned_fit(target, spec) -%}
    {%- do fit_columns(target, spec.types) -%}
    {%- set declared = run_query(
        "select attname from pg_attribute where attrelid = '" ~ target ~ "'::regclass and attnum > 0 and attnotnull"
    ).columns[0].values() | list -%}
    {%- set kept = spec.types | list + ['created_at', 'updated_at'] -%}
    {%- for name in declared | reject('in', kept) -%}
        {%- do run_query("alter table " ~ target ~ " alter " ~ name ~ " drop not null") -%}
    {%- endfor -%}
    {%- do spec.update({'undeclared': spec.not_null | reject('in', declared) | list}) -%}
{%- endmacro -%}


{%- macro list_partitioned_create(target, spec) -%}
{%- set kept = {'created_at': 'timestamptz not null default now()', 'updated_at': 'timestamptz not null default now()',
    'etl_batch_id': 'uuid'} -%}
create table {{ target }} (
    {%- for name, type in spec.types.items() %}
    {{ name }} {{ type }}{{ ' not null' if name in spec.not_null }},
    {%- endfor %}
    {%- for name, type in kept.items() if name not in spec.types %}
    {{ name }} {{ type }},
    {%- endfor %}
    primary key ({{ spec.unique_key | join(', ') }})
) partition by list ({{ spec.partition_by }});
{%- if spec.moves_by %}
create index on {{ target }} ({{ spec.moves_by }})
{%- endif %}
{%- endmacro -%}


{#- The values that the model says, as SQL, and for each whether it has a partition, and what a new one is to be
    called. A name that is too long or taken ends in a piece of the value's hash. -#}
{%- macro list_partitioned_values(target, spec) -%}
    {{ return(run_query("
        select
            quote_literal(value) as value,
            case
                when length(name) > 63 or count(*) over (partition by name) > 1
                    or to_regclass(format('%I.%I', '" ~ target.schema ~ "', name)) is not null
                    then left(name, 54) || '_' || left(md5(value), 8)
                else name
            end as name,
            exists (
                select 1 from pg_inherits inner join pg_class on oid = inhrelid
                where inhparent = '" ~ target ~ "'::regclass and pg_get_expr(relpartbound, oid) in (
                    format('FOR VALUES IN (%L)', value), format('FOR VALUES IN (%s)', value)
                )
            ) as is_held
        from (
            select
                value,
                '" ~ target.identifier ~ "_' || regexp_replace(lower(value), '[^a-z0-9_]+', '_', 'g') as name
            from (select distinct " ~ spec.partition_by ~ "::text as value from " ~ spec.said ~ ") as said
        ) as named
        order by value
    ").rows) }}
{%- endmacro -%}


{#- The statements of a run in their order. Those whose name begins with `write` write rows of the table. -#}
{%- macro list_partitioned_steps(target, spec, is_held) -%}
    {%- set values = list_partitioned_values(target, spec) -%}
    {%- set held_values = values | selectattr('is_held') | map(attribute='value') | join(', ') -%}
    {%- set new = values | rejectattr('is_held') | list -%}
    {%- set steps = [] -%}
    {%- if is_held and spec.moves_by -%}
        {%- do steps.append(('arrived', list_partitioned_arrived(target, spec, held_values))) -%}
        {%- do steps.append(('write_moved', list_partitioned_write_moved(target, spec))) -%}
    {%- endif -%}
    {%- if is_held -%}
        {%- do steps.append(('write_held', write_differences(
            target,
            "(select * from " ~ spec.said ~ " where " ~ list_partitioned_among(spec.partition_by, held_values) ~ ")",
            spec.unique_key, spec.types | list, spec.stamps, list_partitioned_among('held.' ~ spec.partition_by, held_values)
        ))) -%}
    {%- endif -%}
    {%- if new -%}
        {%- do steps.append(('leaves', list_partitioned_leaves(target, spec, new))) -%}
        {%- do steps.append(('write_new', list_partitioned_write_new(target, spec, new))) -%}
        {%- do steps.append(('attach', list_partitioned_attach(target, spec, new))) -%}
    {%- endif -%}
    {%- for name in spec.undeclared -%}
        {%- do steps.append(('declare_' ~ name, "alter table " ~ target ~ " alter " ~ name ~ " set not null")) -%}
    {%- endfor -%}
    {{ return(steps) }}
{%- endmacro -%}


{#- Literals, so that PostgreSQL knows before it begins which partitions it need not read. -#}
{%- macro list_partitioned_among(column, values) -%}
    {{ return(column ~ ' in (' ~ values ~ ')' if values else 'false') }}
{%- endmacro -%}


{#- Rows that come into a partition: only they can be left over in another. As a rule few; counted, so that those
    partitions are looked up in an index and not read. -#}
{%- macro list_partitioned_arrived(target, spec, held_values) -%}
create temporary table {{ spec.arrived }} on commit drop as
select
    said.{{ spec.moves_by }},
    said.{{ spec.partition_by }}
from {{ spec.said }} as said
left join {{ target }} as held
    on {{ same(spec.unique_key, 'held', 'said') }}
    and {{ list_partitioned_among('held.' ~ spec.partition_by, held_values) }}
where held.{{ spec.partition_by }} is null;
analyze pg_temp.{{ spec.arrived }}
{%- endmacro -%}


{%- macro list_partitioned_write_moved(target, spec) -%}
delete from {{ target }} as held
using {{ spec.arrived }} as arrived
where held.{{ spec.moves_by }} = arrived.{{ spec.moves_by }} and held.{{ spec.partition_by }} <> arrived.{{ spec.partition_by }}
{%- endmacro -%}


{#- The new partitions, under a parent of their own, through which one statement fills them all. The check spares
    the ATTACH a look at every row. -#}
{%- macro list_partitioned_leaves(target, spec, new) -%}
create table {{ list_partitioned_nursery(target) }} (like {{ target }} including defaults) partition by list ({{ spec.partition_by }});
{%- for leaf in new %}
create table {{ target.incorporate(path={'identifier': leaf['name']}) }}
partition of {{ list_partitioned_nursery(target) }} (check ({{ spec.partition_by }} = {{ leaf['value'] }}))
for values in ({{ leaf['value'] }});
{%- endfor %}
{%- endmacro -%}


{%- macro list_partitioned_write_new(target, spec, new) -%}
insert into {{ list_partitioned_nursery(target) }} ({{ (spec.types | list + spec.stamps.keys() | list) | join(', ') }})
select {{ (spec.types | list + spec.stamps.values() | list) | join(', ') }}
from {{ spec.said }}
where {{ list_partitioned_among(spec.partition_by, new | map(attribute='value') | join(', ')) }}
{%- endmacro -%}


{#- ATTACH makes each index that the table has. -#}
{%- macro list_partitioned_attach(target, spec, new) -%}
{%- for leaf in new -%}
{%- set relation = target.incorporate(path={'identifier': leaf['name']}) -%}
alter table {{ list_partitioned_nursery(target) }} detach partition {{ relation }};
alter table {{ target }} attach partition {{ relation }} for values in ({{ leaf['value'] }});
{% endfor -%}
drop table {{ list_partitioned_nursery(target) }}
{%- endmacro -%}


{%- macro list_partitioned_nursery(target) -%}
    {{ return(target.incorporate(path={'identifier': target.identifier ~ '__new'})) }}
{%- endmacro -%}
