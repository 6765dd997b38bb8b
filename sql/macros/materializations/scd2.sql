{#-
  Slowly changing dimensions of type 2 (SCD2), written once.

  The model selects one row per natural key and effective moment:

      {{ config(materialized='scd2', natural_key='employee_id', effective_at='changed_at') }}
      select employee_id, full_name, region_name, phone, is_deleted, changed_at from ...

  and the table holds one row per version: `surrogate_key`, the model's columns but for the moment, `valid_from`
  (inclusive), `valid_to` (exclusive; null for the current version), `is_current`, `etl_batch_id` (the batch that
  last wrote the row, from the var of that name), `created_at` and `updated_at`.

  - The same rows again write nothing. Only members of which something new is said are touched.
  - Rows that arrive late are threaded into the timeline; what is not heard of stays as it is.
  - A row that restates an existing moment corrects that version in place. A surrogate key never changes.
  - A deletion is one more version, with whatever the model says of it (such as `is_deleted`).
  - `tracked` names the columns whose changes make a version; the others are overwritten in the current version (type
    1). Left out, every column is tracked. Values are compared as typed, nulls as equal, never as text or hashes.
  - `inferred_flag` names a boolean column of the model: true marks an inferred member, so far met only in a fact. The
    first row that is none completes it in place, under the same surrogate key, and the version begins at the
    earlier of the two moments, in whatever order and batches they arrive. Inferred rows of known members are passed
    over.
  - `deleted_flag` names a boolean column, false in every row of the model: the model then is the source's current
    state, one row a member, and never its past. What it says is the current version from then on, whatever its
    moment; a member that it lacks gets a last version in which the column is true, and comes back likewise. A null
    moment is now.
  - Row -1 is the unknown member.
  - A column the model gains is added; one it loses stays, null from then on. A changed type is refused, and so is
    a full refresh: no source can give history back.
  - One transaction: a failure at any step leaves the old rows. Builds of one dimension take turns.
-#}
{%- materialization scd2, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set spec = scd2_config() -%}

    {%- if should_full_refresh() and load_cached_relation(this) is not none -%}
        {{ exceptions.raise_compiler_error(
            this ~ " holds history that no source can give back; a full refresh is refused and the table was left as"
            " it was. To begin again, drop the table by hand.") }}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- 1. The model, as a view: it has the columns in their exact types, and no rows of its own to write. -#}
    {%- if begin_build() == 'current' -%}
        {{ return(pass_over()) }}
    {%- endif -%}
    {%- call statement('incoming') -%}
        drop view if exists {{ spec.incoming }};
        create temporary view {{ model.alias }}__incoming as {{ sql }}
    {%- endcall -%}
    {%- do scd2_describe_columns(spec) -%}

    {#- 2. Make the table, or its columns the model's. -#}
    {%- if spec.is_new -%}
        {%- call statement('create') -%}
            {{ scd2_create_table(target_relation, spec) }}
        {%- endcall -%}
    {%- else -%}
        {%- do append_new_columns(target_relation, spec.columns) -%}
    {%- endif -%}

    {#- 3. A current state is turned into what changed since the last one. -#}
    {%- if spec.deleted_flag -%}
        {%- call statement('current_state') -%}
            {{ scd2_current_state(target_relation, spec) }}
        {%- endcall -%}
    {%- endif -%}

    {#- 4. Compare, and write what changed in the cheapest way: nothing, close and insert, or rebuild timelines. -#}
    {%- call statement('compared') -%}
        {{ scd2_compare_all(target_relation, spec) }}
    {%- endcall -%}
    {%- do run_query("create temporary table " ~ spec.moments ~ " (moment timestamptz)") -%}
    {%- set counts = namespace(written=0) -%}
    {%- set changes = scd2_classify_changes(spec) -%}
    {%- if changes.are_all_simple -%}
        {%- set counts.written = run_steps(scd2_simple_steps(target_relation, spec.compared, spec)) -%}
    {%- elif changes.are_any -%}
        {%- call statement('changes') -%}
            {{ scd2_collect_changes(target_relation, spec) }}
        {%- endcall -%}
        {%- set simple = '(select * from ' ~ spec.changes ~ ' where is_simple)' -%}
        {%- set counts.written = run_steps(scd2_simple_steps(target_relation, simple, spec)) -%}
        {%- if scd2_has_timelines_to_rebuild(spec) -%}
            {%- call statement('timeline_rows') -%}
                {{ scd2_collect_timeline_rows(spec) }}
            {%- endcall -%}
            {%- do scd2_refuse_conflicts(spec) -%}
            {%- set counts.written = counts.written + run_steps(scd2_timeline_steps(target_relation, spec)) -%}
        {%- endif -%}
    {%- endif -%}

    {#- 5. Finish. What was valid before the first of these moments still is. In the west it lies on the day before its
        date in UTC. -#}
    {%- set changed_from = run_query(
        "select ((coalesce(min(moment), 'infinity') at time zone 'UTC')::date - 1)::text from " ~ spec.moments
    ).rows[0][0] -%}
    {%- if spec.is_new -%}
        {%- call statement('index') -%}
            {{ scd2_create_indexes(target_relation, spec) }}
        {%- endcall -%}
    {%- endif -%}
    {%- call statement('clean_up') -%}
        drop view {{ spec.incoming }};
        drop view if exists {{ spec.source_state }};
        drop table if exists {{ spec.compared }}, {{ spec.changes }}, {{ spec.timeline_rows }}, {{ spec.versions }},
            {{ spec.moments }}
    {%- endcall -%}
    {%- do store_raw_result('main', message='SCD2 ' ~ counts.written, code='SCD2', rows_affected=counts.written) -%}

    {{ finish_build(target_relation, counts.written, changed_from) }}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization -%}


{#- What the model's config says, with its defaults; and the temporary relations of a run, in the order in which they
    are made. `incoming` is the model, `compared` what of it may change the table, `changes` the members that do,
    `timeline_rows` the rows of those whose timelines are rebuilt, `versions` what is to be written of these, `moments` from when on what was written counts. -#}
{%- macro scd2_config() -%}
    {%- set natural_key = config.require('natural_key') -%}
    {%- set temporary = 'pg_temp.' ~ model.alias ~ '__' -%}
    {{ return({
        'natural_key': [natural_key] if natural_key is string else natural_key,
        'effective_at': config.require('effective_at'),
        'tracked': config.get('tracked'),
        'inferred_flag': config.get('inferred_flag'),
        'deleted_flag': config.get('deleted_flag'),
        'incoming': temporary ~ 'incoming',
        'source_state': temporary ~ 'source_state',
        'compared': temporary ~ 'compared',
        'changes': temporary ~ 'changes',
        'timeline_rows': temporary ~ 'timeline_rows',
        'versions': temporary ~ 'versions',
        'moments': temporary ~ 'moments',
    }) }}
{%- endmacro -%}


{#- Add to the spec whether the table is new, and what the model's columns are: `incoming_columns`, all of them;
    `columns`, the types by name but for the moment's; `tracked` and `overwritten`. -#}
{%- macro scd2_describe_columns(spec) -%}
    {%- set types = column_types(spec.incoming) -%}
    {%- set own = [
        'surrogate_key', 'valid_from', 'valid_to', 'is_current', 'etl_batch_id', 'created_at', 'updated_at'] -%}
    {%- set named = spec.natural_key + [spec.effective_at] + ([spec.inferred_flag] if spec.inferred_flag else []) -%}
    {#- A deletion is a change, whatever columns the config tracks. -#}
    {%- set deletion = [spec.deleted_flag] if spec.deleted_flag else [] -%}
    {%- set missing = (named + (spec.tracked or []) + deletion) | reject('in', types) | list -%}
    {%- set reserved = types | select('in', own) | reject('equalto', spec.effective_at) | list -%}
    {%- set attributes = types | reject('in', named) | list -%}
    {%- set tracked = attributes if spec.tracked is none else (spec.tracked + deletion) | unique | list -%}
    {%- set columns = dict(types) -%}
    {%- do columns.pop(spec.effective_at, none) -%}
    {%- do spec.update({
        'is_new': run_query("select to_regclass('" ~ this ~ "')").rows[0][0] is none,
        'incoming_columns': types | list,
        'columns': columns,
        'tracked': tracked,
        'overwritten': attributes | reject('in', tracked) | list,
    }) -%}
    {%- if missing -%}
        {{ exceptions.raise_compiler_error(this ~ ": the config names columns that the model does not select: "
            ~ missing | join(', ')) }}
    {%- elif reserved -%}
        {{ exceptions.raise_compiler_error(this ~ ": scd2 keeps these columns itself, the model may not select them: "
            ~ reserved | join(', ')) }}
    {%- elif types[spec.effective_at] != 'timestamp with time zone' -%}
        {{ exceptions.raise_compiler_error(this ~ ": " ~ spec.effective_at ~ " must be a timestamp with time zone, not "
            ~ types[spec.effective_at] ~ ".") }}
    {%- elif not tracked -%}
        {{ exceptions.raise_compiler_error(this ~ ": scd2 needs at least one tracked column.") }}
    {%- endif -%}
{%- endmacro -%}


{#- The table with the unknown member in it, so that a fact without a member joins a row all the same. -#}
{%- macro scd2_create_table(target, spec) -%}
create table {{ target }} (
    surrogate_key bigint generated always as identity,
    {%- for name, type in spec.columns.items() %}
    {{ name }} {{ type }},
    {%- endfor %}
    valid_from timestamptz not null,
    valid_to timestamptz,
    is_current boolean not null,
    etl_batch_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
insert into {{ target }}
    (surrogate_key, {{ spec.inferred_flag ~ ', ' if spec.inferred_flag }}valid_from, is_current, etl_batch_id)
overriding system value values (-1, {{ 'false, ' if spec.inferred_flag }}'1900-01-01Z', true, {{ run_batch_id() }})
{%- endmacro -%}


{#- Made when the first rows are there, which takes less than to mend them with each row. -#}
{%- macro scd2_create_indexes(target, spec) -%}
{%- set key_list = spec.natural_key | join(', ') -%}
alter table {{ target }}
    add primary key (surrogate_key),
    add unique ({{ key_list }}, valid_from);
create unique index on {{ target }} ({{ key_list }}) where is_current
{%- endmacro -%}


{#- Whether anything changed, and whether all of it is simple: each row the only one of its member, from after the
    current version, and different. Rows without a key or a moment are refused. -#}
{%- macro scd2_classify_changes(spec) -%}
    {%- set found = run_query(
        "select bool_or(" ~ spec.natural_key | join(' is null or ') ~ " is null),"
        " bool_or(" ~ spec.effective_at ~ " is null),"
        " bool_or(is_new_information or precedes_version),"
        " bool_and(starts_version and not precedes_version and not is_existing_moment)"
        " and count(*) = count(distinct (" ~ spec.natural_key | join(', ') ~ ")) from " ~ spec.compared
    ).rows[0] -%}
    {#- What follows could not place them in a timeline. -#}
    {%- set nulls = (spec.natural_key if found[0] else []) + ([spec.effective_at] if found[1] else []) -%}
    {%- if nulls -%}
        {{ exceptions.raise_compiler_error(this ~ ": rows of the model have a null in " ~ nulls | join(' or ')
            ~ ". The table was left as it was.") }}
    {%- endif -%}
    {{ return({'are_any': found[2], 'are_all_simple': found[3] and not spec.inferred_flag}) }}
{%- endmacro -%}


{#- Whether some changes are not simple; and, in the spec, whether the model must be read again for them. -#}
{%- macro scd2_has_timelines_to_rebuild(spec) -%}
    {%- set found = run_query(
        "select count(*), bool_or(is_existing_moment) from " ~ spec.changes
        ~ " where is_new_information and not is_simple"
    ).rows[0] -%}
    {%- do spec.update({'rereads_model': spec.inferred_flag is not none or found[1]}) -%}
    {{ return(found[0] > 0) }}
{%- endmacro -%}


{#- Refuse members that are said to be two things at one moment. -#}
{%- macro scd2_refuse_conflicts(spec) -%}
    {%- set by = (spec.natural_key + [spec.effective_at]) | join(', ') -%}
    {%- set found = run_query(
        "select count(*) from (select 1 from " ~ spec.timeline_rows
        ~ " group by " ~ by ~ " having count(*) > 1) as twice"
    ).rows[0][0] -%}
    {%- if found -%}
        {{ exceptions.raise_compiler_error(this ~ ": " ~ found ~ " times the model says two different things of one "
            ~ spec.natural_key | join(', ') ~ " at one " ~ spec.effective_at
            ~ ". The table was left as it was. The model must pick one.") }}
    {%- endif -%}
{%- endmacro -%}
