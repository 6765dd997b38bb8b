{#- What the model's config says, with its defaults. -#}
{%- macro list_partitioned_config() -%}
    {%- set unique_key = config.require('unique_key') -%}
    {{ return({
        'incoming': model.alias ~ '__incoming',
        'added': model.alias ~ '__added',
        'partition_by': config.require('partition_by'),
        'unique_key': [unique_key] if unique_key is string else unique_key,
        'partition_move_key': config.get('partition_move_key'),
        'not_null': config.get('not_null', []),
        'undeclared': [],
    }) }}
{%- endmacro -%}


{#- Add to the spec what the model's columns are: `types` by name; `stamps`, what the columns kept here get in a row
    that is written; `matched`, the columns that rows are matched by. -#}
{%- macro list_partitioned_describe_columns(spec) -%}
    {%- set types = column_types('pg_temp.' ~ spec.incoming) -%}
    {#- created_at has a default, which an update leaves alone. -#}
    {%- set stamps = {} -%}
    {%- for name, stamp in {'updated_at': 'now()', 'etl_batch_id': run_batch_id()}.items() if name not in types -%}
        {%- do stamps.update({name: stamp}) -%}
    {%- endfor -%}
    {%- set move_keys = [spec.partition_move_key] if spec.partition_move_key else [] -%}
    {%- set matched = (spec.unique_key + move_keys) | unique | list -%}
    {%- set window_columns = [config.get('window_column')] if config.get('window_column') else [] -%}
    {%- set missing = (matched + spec.not_null + window_columns) | reject('in', types) | list -%}
    {%- do spec.update({'types': types, 'stamps': stamps, 'matched': matched}) -%}
    {%- if spec.partition_by not in spec.unique_key -%}
        {{ exceptions.raise_compiler_error(this ~ ": the unique_key must have " ~ spec.partition_by ~ " in it, by which"
            " the table is partitioned.") }}
    {%- elif missing -%}
        {{ exceptions.raise_compiler_error(this ~ ": the config names columns that the model does not select: "
            ~ missing | join(', ')) }}
    {%- endif -%}
{%- endmacro -%}


{#- Refuse rows that have one value of `partition_move_key` in two partitions: each would delete the other. -#}
{%- macro list_partitioned_validate_move_key(spec) -%}
    {%- set move_key, partition = spec.partition_move_key, spec.partition_by -%}
    {%- if move_key -%}
        {%- set split = run_query(
            "select count(*) from (select 1 from " ~ spec.incoming ~ " where " ~ move_key ~ " is not null"
            " group by " ~ move_key ~ " having min(" ~ partition ~ ") <> max(" ~ partition ~ ")) as split"
        ).rows[0][0] -%}
        {%- if split -%}
            {{ exceptions.raise_compiler_error(this ~ ": the model says " ~ split ~ " values of " ~ move_key
                ~ " in more than one " ~ partition ~ ". The table was left as it was. Each is in one only.") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}


{#- Whether the table exists, partitioned and keyed as the config says. One that is not so is refused, and a full
    refresh drops it. PostgreSQL refuses to drop what a view of somebody else reads. -#}
{%- macro list_partitioned_exists(spec) -%}
    {%- set found = run_query(
        "select relkind, pg_get_partkeydef(oid) as partitioned, (select array_agg(attname::text order by attname)"
        " from pg_index inner join pg_attribute on attrelid = indrelid and attnum = any(indkey)"
        " where indrelid = pg_class.oid and indisprimary)"
        " = array['" ~ spec.unique_key | sort | join("', '") ~ "'] as is_keyed"
        " from pg_class where oid = to_regclass('" ~ this ~ "')"
    ).rows -%}
    {#- The whole goes in a full refresh, its partitions with it. -#}
    {%- if not found -%}
        {{ return(false) }}
    {%- elif should_full_refresh() -%}
        {%- do run_query(
            "drop " ~ {'v': 'view', 'm': 'materialized view'}.get(found[0]['relkind'], 'table') ~ " " ~ this) -%}
        {{ return(false) }}
    {%- elif found[0]['partitioned'] != 'LIST (' ~ spec.partition_by ~ ')' or not found[0]['is_keyed'] -%}
        {{ exceptions.raise_compiler_error(this ~ " is held otherwise than partitioned by list (" ~ spec.partition_by
            ~ ") with the primary key (" ~ spec.unique_key | join(', ') ~ "). It was left as it was. To make it anew,"
            " run dbt with --full-refresh.") }}
    {%- endif -%}
    {{ return(true) }}
{%- endmacro -%}


{#- Schema evolution: make the table's columns the model's; one that the model lost may be null from now on. What is to
    be declared not null is `undeclared` in the spec, until the rows are written. -#}
{%- macro list_partitioned_sync_columns(target, spec) -%}
    {%- do append_new_columns(target, spec.types) -%}
    {%- set declared = run_query(
        "select attname from pg_attribute where attrelid = '" ~ target ~ "'::regclass and attnum > 0 and attnotnull"
    ).columns[0].values() | list -%}
    {#- A new row would fail otherwise: the model has no value for such a column any more. -#}
    {%- set kept = spec.types | list + ['created_at', 'updated_at'] -%}
    {%- for name in declared | reject('in', kept) -%}
        {%- do run_query("alter table " ~ target ~ " alter " ~ name ~ " drop not null") -%}
    {%- endfor -%}
    {%- do spec.update({'undeclared': spec.not_null | reject('in', declared) | list}) -%}
{%- endmacro -%}


{#- The partitioned table, without a partition; the model's columns in their order, then those that are kept here. -#}
{%- macro list_partitioned_create_table(target, spec) -%}
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
{%- if spec.partition_move_key %}
create index on {{ target }} ({{ spec.partition_move_key }})
{%- endif %}
{%- endmacro -%}


{#- The partitions that the model's rows go into: for each its value as SQL, whether it exists, and what a new one is to
    be called. A name that is too long or taken ends in a piece of the value's hash. -#}
{%- macro list_partitioned_partitions(target, spec) -%}
    {#- Whether there is a partition is asked of its bound, not of its name. -#}
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
            ) as is_existing
        from (
            select
                value,
                '" ~ target.identifier ~ "_' || regexp_replace(lower(value), '[^a-z0-9_]+', '_', 'g') as name
            from (select distinct " ~ spec.partition_by ~ "::text as value from " ~ spec.incoming ~ ") as incoming
        ) as named
        order by value
    ").rows) }}
{%- endmacro -%}


{#- The statements of a run in their order. Those whose name begins with `write` write rows of the table. -#}
{%- macro list_partitioned_steps(target, spec, exists) -%}
    {%- set partitions = list_partitioned_partitions(target, spec) -%}
    {%- set existing_values = partitions | selectattr('is_existing') | map(attribute='value') | join(', ') -%}
    {%- set new = partitions | rejectattr('is_existing') | list -%}
    {%- set steps = [] -%}
    {#- Moved rows go before the merge: the primary key has the partition in it and would not notice two of them. -#}
    {%- if exists and spec.partition_move_key -%}
        {%- do steps.append(('added', list_partitioned_added(target, spec, existing_values))) -%}
        {%- do steps.append(('write_moved', list_partitioned_delete_moved(target, spec))) -%}
    {%- endif -%}
    {%- if exists -%}
        {%- set in_existing = list_partitioned_among(spec.partition_by, existing_values) -%}
        {%- do steps.append(('write_existing', merge_changed_rows(
            target,
            "(select * from " ~ spec.incoming ~ " where " ~ in_existing ~ ")",
            spec.unique_key,
            spec.types | list,
            delete_where=in_replaced_window('existing'),
            stamps=spec.stamps,
            existing_where=list_partitioned_among('existing.' ~ spec.partition_by, existing_values)
        ))) -%}
    {%- endif -%}
    {%- if new -%}
        {%- do steps.append(('create_partitions', list_partitioned_create_partitions(target, spec, new))) -%}
        {%- do steps.append(('write_new', list_partitioned_fill_partitions(target, spec, new))) -%}
        {%- do steps.append(('attach', list_partitioned_attach(target, spec, new))) -%}
    {%- endif -%}
    {#- Last, when old rows have a value too. -#}
    {%- for name in spec.undeclared -%}
        {%- do steps.append(('declare_' ~ name, "alter table " ~ target ~ " alter " ~ name ~ " set not null")) -%}
    {%- endfor -%}
    {{ return(steps) }}
{%- endmacro -%}


{#- A condition: the value is one of these. Literals, so that PostgreSQL knows before it begins which partitions it need
    not read. -#}
{%- macro list_partitioned_among(column, values) -%}
    {{ return(column ~ ' in (' ~ values ~ ')' if values else 'false') }}
{%- endmacro -%}


{#- Rows that are new in a partition: only they can be left over in another. As a rule few; analyzed, so that those
    partitions are looked up in an index and not read. -#}
{%- macro list_partitioned_added(target, spec, existing_values) -%}
create temporary table {{ spec.added }} on commit drop as
select
    incoming.{{ spec.partition_move_key }},
    incoming.{{ spec.partition_by }}
from {{ spec.incoming }} as incoming
left join {{ target }} as existing
    on {{ columns_equal(spec.unique_key, 'existing', 'incoming') }}
    and {{ list_partitioned_among('existing.' ~ spec.partition_by, existing_values) }}
where existing.{{ spec.partition_by }} is null;
analyze pg_temp.{{ spec.added }}
{%- endmacro -%}


{#- A row that moved leaves its old partition, wherever that lies. -#}
{%- macro list_partitioned_delete_moved(target, spec) -%}
delete from {{ target }} as existing
using {{ spec.added }} as added
where
    existing.{{ spec.partition_move_key }} = added.{{ spec.partition_move_key }}
    and existing.{{ spec.partition_by }} <> added.{{ spec.partition_by }}
{%- endmacro -%}


{#- The new partitions, under a parent of their own, through which one statement fills them all. The check spares
    the ATTACH a look at every row. -#}
{%- macro list_partitioned_create_partitions(target, spec, new) -%}
create table {{ list_partitioned_new_parent(target) }} (like {{ target }} including defaults)
partition by list ({{ spec.partition_by }});
{%- for partition in new %}
create table {{ target.incorporate(path={'identifier': partition['name']}) }}
partition of {{ list_partitioned_new_parent(target) }} (check ({{ spec.partition_by }} = {{ partition['value'] }}))
for values in ({{ partition['value'] }});
{%- endfor %}
{%- endmacro -%}


{#- No index slows this down: there is none yet. -#}
{%- macro list_partitioned_fill_partitions(target, spec, new) -%}
{%- set names = spec.types | list -%}
insert into {{ list_partitioned_new_parent(target) }} ({{ (names + spec.stamps.keys() | list) | join(', ') }})
select {{ (names + spec.stamps.values() | list) | join(', ') }}
from {{ spec.incoming }}
where {{ list_partitioned_among(spec.partition_by, new | map(attribute='value') | join(', ')) }}
{%- endmacro -%}


{#- ATTACH makes each index that the table has. -#}
{%- macro list_partitioned_attach(target, spec, new) -%}
{%- for partition in new -%}
{%- set relation = target.incorporate(path={'identifier': partition['name']}) -%}
alter table {{ list_partitioned_new_parent(target) }} detach partition {{ relation }};
alter table {{ target }} attach partition {{ relation }} for values in ({{ partition['value'] }});
{% endfor -%}
drop table {{ list_partitioned_new_parent(target) }}
{%- endmacro -%}


{#- It lives within one transaction, and no reader ever sees it. -#}
{%- macro list_partitioned_new_parent(target) -%}
    {{ return(target.incorporate(path={'identifier': target.identifier ~ '__new'})) }}
{%- endmacro -%}
