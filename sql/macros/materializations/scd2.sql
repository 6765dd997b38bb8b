{#-
  Type 2 history, written once.

  The model selects one row per natural key and effective moment:

      {{ config(materialized='scd2', natural_key='employee_id', effective_at='changed_at') }}
      select employee_id, full_name, region_name, phone, is_deleted, changed_at from ...

  and the table holds one row per version: `surrogate_key`, the model's columns but for the moment, `valid_from`
  (inclusive), `valid_to` (exclusive; null for the version in force), `is_current`, `etl_batch_id` (the batch that
  last wrote the row, from the var of that name), `created_at` and `updated_at`.

  - The same rows again write nothing. Only members of which something new is said are touched.
  - Rows that arrive late are threaded into the timeline; what is not heard of stays as it is.
  - A row that restates a moment already held corrects that version in place. A surrogate key never changes.
  - A deletion is one more version, with whatever the model says of it (such as `is_deleted`).
  - `tracked` names the columns whose changes make a version; the others are overwritten in the version in force.
    Left out, every column is tracked. Values are compared as typed, nulls as equal, never as text or hashes.
  - `inferred` names a boolean column of the model: true marks a stub, a member so far met only in a fact. The
    first row that is no stub completes it in place, under the same surrogate key, and the version begins at the
    earlier of the two moments, in whatever order and batches they arrive. Stubs of known members are passed over.
  - `gone` names a boolean column, false in every row of the model: it then says what there is now, one row a member,
    and never what there was. What it says is the version in force from then on, whatever its moment; a member that
    it says no longer gets a last version in which the column is true, and comes back likewise. A null moment is now.
  - Row -1 is the member nobody knows.
  - A column the model gains is added; one it loses stays, null from then on. A changed type is refused, and so is
    a full refresh: no source can give history back.
  - One transaction: a failure at any step leaves the old rows. Builds of one dimension take turns.
-#}
{%- materialization scd2, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set said = model.alias ~ '__said' -%}
    {%- set spec = scd2_spec() -%}

    {%- if should_full_refresh() and load_cached_relation(this) is not none -%}
        {{ exceptions.raise_compiler_error(
            this ~ " holds history that no source can give back; a full refresh is refused and the table was left as"
            " it was. To begin again, drop the table by hand.") }}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- do take_turns() -%}
    {#- A view has the model's columns in their exact types, and no rows of its own to write. -#}
    {%- call statement('said') -%}
        drop view if exists pg_temp.{{ said }};
        create temporary view {{ said }} as {{ sql }}
    {%- endcall -%}
    {%- do scd2_describe(said, spec) -%}

    {%- if spec.is_new -%}
        {%- call statement('create') -%}
            {{ scd2_create(target_relation, spec) }}
        {%- endcall -%}
    {%- else -%}
        {%- do fit_columns(target_relation, spec.columns) -%}
    {%- endif -%}
    {%- if spec.gone -%}
        {%- call statement('present') -%}
            {{ scd2_present(target_relation, said, spec) }}
        {%- endcall -%}
    {%- endif -%}

    {%- call statement('compared') -%}
        {{ scd2_compared(target_relation, said, spec) }}
    {%- endcall -%}
    {%- set counts = namespace(written=0) -%}
    {%- set news = scd2_look_at_news(said, spec) -%}
    {%- if news.is_plain -%}
        {%- do scd2_run(scd2_plain_steps(target_relation, 'pg_temp.' ~ said ~ '_compared', spec), counts, said, spec) -%}
    {%- elif news.is_any -%}
        {%- call statement('differing') -%}
            {{ scd2_differing(target_relation, said, spec) }}
        {%- endcall -%}
        {%- set plain = '(select * from pg_temp.' ~ said ~ '_differing where is_plain)' -%}
        {%- do scd2_run(scd2_plain_steps(target_relation, plain, spec), counts, said, spec) -%}
        {%- if scd2_are_others(said, spec) -%}
            {%- do scd2_run(scd2_timeline_steps(target_relation, said, spec), counts, said, spec) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if spec.is_new -%}
        {%- call statement('index') -%}
            {{ scd2_index(target_relation, spec) }}
        {%- endcall -%}
    {%- endif -%}
    {%- call statement('tidy') -%}
        drop view pg_temp.{{ said }};
        drop view if exists pg_temp.{{ said }}_now;
        drop table if exists pg_temp.{{ said }}_compared, pg_temp.{{ said }}_differing, pg_temp.{{ said }}_incoming,
            pg_temp.{{ said }}_versions
    {%- endcall -%}
    {%- do store_raw_result('main', message='SCD2 ' ~ counts.written, code='SCD2', rows_affected=counts.written) -%}

    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization -%}


{#- What the model's config says, with its defaults. -#}
{%- macro scd2_spec() -%}
    {%- set natural_key = config.require('natural_key') -%}
    {{ return({
        'natural': [natural_key] if natural_key is string else natural_key,
        'effective_at': config.require('effective_at'),
        'tracked': config.get('tracked'),
        'inferred': config.get('inferred'),
        'gone': config.get('gone'),
    }) }}
{%- endmacro -%}


{#- Add to the spec whether the table is new, and what the model's columns are: `said`, all of them; `columns`, the
    types by name but for the moment's; `tracked` and `overwritten`. -#}
{%- macro scd2_describe(said, spec) -%}
    {%- set types = column_types('pg_temp.' ~ said) -%}
    {%- set own = ['surrogate_key', 'valid_from', 'valid_to', 'is_current', 'etl_batch_id', 'created_at', 'updated_at'] -%}
    {%- set named = spec.natural + [spec.effective_at] + ([spec.inferred] if spec.inferred else []) -%}
    {%- set marks = [spec.gone] if spec.gone else [] -%}
    {%- set missing = (named + (spec.tracked or []) + marks) | reject('in', types) | list -%}
    {%- set taken = types | select('in', own) | reject('equalto', spec.effective_at) | list -%}
    {%- set described = types | reject('in', named) | list -%}
    {%- set tracked = described if spec.tracked is none else (spec.tracked + marks) | unique | list -%}
    {%- set columns = dict(types) -%}
    {%- do columns.pop(spec.effective_at, none) -%}
    {%- do spec.update({
        'is_new': run_query("select to_regclass('" ~ this ~ "')").rows[0][0] is none,
        'said': types | list,
        'columns': columns,
        'tracked': tracked,
        'overwritten': described | reject('in', tracked) | list,
    }) -%}
    {%- if missing -%}
        {{ exceptions.raise_compiler_error(this ~ ": the config names columns that the model does not select: "
            ~ missing | join(', ')) }}
    {%- elif taken -%}
        {{ exceptions.raise_compiler_error(this ~ ": scd2 keeps these columns itself, the model may not select them: "
            ~ taken | join(', ')) }}
    {%- elif types[spec.effective_at] != 'timestamp with time zone' -%}
        {{ exceptions.raise_compiler_error(this ~ ": " ~ spec.effective_at ~ " must be a timestamp with time zone, not "
            ~ types[spec.effective_at] ~ ".") }}
    {%- elif not tracked -%}
        {{ exceptions.raise_compiler_error(this ~ ": scd2 needs at least one tracked column.") }}
    {%- endif -%}
{%- endmacro -%}


{%- macro scd2_create(target, spec) -%}
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
insert into {{ target }} (surrogate_key, {{ spec.inferred ~ ', ' if spec.inferred }}valid_from, is_current, etl_batch_id)
overriding system value values (-1, {{ 'false, ' if spec.inferred }}'1900-01-01Z', true, {{ batch_of_run() }})
{%- endmacro -%}


{#- Made when the first rows are there, which takes less than to mend them with each row; and what the planner must know
    of a table that autovacuum has not come by yet. -#}
{%- macro scd2_index(target, spec) -%}
alter table {{ target }}
    add primary key (surrogate_key),
    add unique ({{ spec.natural | join(', ') }}, valid_from);
create unique index on {{ target }} ({{ spec.natural | join(', ') }}) where is_current;
analyze {{ target }}
{%- endmacro -%}


{#- Run statements, and count the rows that they write. -#}
{%- macro scd2_run(steps, counts, said, spec) -%}
    {%- for name, step in steps -%}
        {%- call statement(name) -%}
            {{ step }}
        {%- endcall -%}
        {%- if name.startswith('write') -%}
            {%- set counts.written = counts.written + load_result(name)['response'].rows_affected -%}
        {%- elif name == 'incoming' -%}
            {%- do scd2_check_incoming(said, spec) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro -%}


{#- Whether anything may be news, and whether all of it is plain: each row the only one of its member, from after the
    version of today, and different. Rows without a key or a moment are refused. -#}
{%- macro scd2_look_at_news(said, spec) -%}
    {%- set found = run_query(
        "select bool_or(" ~ spec.natural | join(' is null or ') ~ " is null), bool_or(" ~ spec.effective_at ~ " is null),"
        " bool_or(is_news or is_before), bool_and(is_change and not is_before and not is_moment_held)"
        " and count(*) = count(distinct (" ~ spec.natural | join(', ') ~ ")) from pg_temp." ~ said ~ "_compared"
    ).rows[0] -%}
    {%- set nulls = (spec.natural if found[0] else []) + ([spec.effective_at] if found[1] else []) -%}
    {%- if nulls -%}
        {{ exceptions.raise_compiler_error(this ~ ": rows of the model have a null in " ~ nulls | join(' or ')
            ~ ". The table was left as it was.") }}
    {%- endif -%}
    {{ return({'is_any': found[2], 'is_plain': found[3] and not spec.inferred}) }}
{%- endmacro -%}


{#- Whether there is news that is not plain, and whether the model must be asked again for it. -#}
{%- macro scd2_are_others(said, spec) -%}
    {%- set found = run_query(
        "select count(*), bool_or(is_moment_held) from pg_temp." ~ said ~ "_differing where is_news and not is_plain"
    ).rows[0] -%}
    {%- do spec.update({'is_asked_again': spec.inferred is not none or found[1]}) -%}
    {{ return(found[0] > 0) }}
{%- endmacro -%}


{#- Refuse members that are said to be two things at one moment. -#}
{%- macro scd2_check_incoming(said, spec) -%}
    {%- set by = (spec.natural + [spec.effective_at]) | join(', ') -%}
    {%- set found = run_query(
        "select count(*) from (select 1 from pg_temp." ~ said ~ "_incoming group by " ~ by ~ " having count(*) > 1) as twice"
    ).rows[0][0] -%}
    {%- if found -%}
        {{ exceptions.raise_compiler_error(this ~ ": " ~ found ~ " times the model says two different things of one "
            ~ spec.natural | join(', ') ~ " at one " ~ spec.effective_at
            ~ ". The table was left as it was. The model must pick one.") }}
    {%- endif -%}
{%- endmacro -%}
