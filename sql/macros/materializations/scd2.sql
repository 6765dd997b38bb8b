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
  - Row -1 is the member nobody knows.
  - A column the model gains is added; one it loses stays, null from then on. A changed type is refused, and so is
    a full refresh: no source can give history back.
  - One transaction: a failure at any step leaves the old rows.
-#}
{%- materialization scd2, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set said = model.alias ~ '__said' -%}
    {%- set spec = scd2_spec() -%}

    {%- if existing is not none and should_full_refresh() -%}
        {{ exceptions.raise_compiler_error(
            this ~ " holds history that no source can give back; a full refresh is refused and the table was left as"
            " it was. To begin again, drop the table by hand.") }}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- A view has the model's columns in their exact types, and no rows of its own to write. -#}
    {%- call statement('said') -%}
        drop view if exists pg_temp.{{ said }};
        create temporary view {{ said }} as {{ sql }}
    {%- endcall -%}
    {%- do scd2_describe(spec, said) -%}

    {%- if existing is none -%}
        {%- call statement('create') -%}
            {{ scd2_create(target_relation, spec) }}
        {%- endcall -%}
    {%- else -%}
        {%- do run_query("lock table " ~ target_relation ~ " in share row exclusive mode") -%}
        {%- do scd2_fit_columns(target_relation, spec) -%}
    {%- endif -%}

    {%- call statement('differing') -%}
        {{ scd2_differing(target_relation, said, spec) }}
    {%- endcall -%}
    {%- set counts = namespace(written=0) -%}
    {%- if scd2_count_differing(spec, said) -%}
        {%- for name, step in scd2_steps(target_relation, said, spec) -%}
            {%- call statement(name) -%}
                {{ step }}
            {%- endcall -%}
            {%- if name.startswith('write') -%}
                {%- set counts.written = counts.written + load_result(name)['response'].rows_affected -%}
            {%- elif name == 'incoming' -%}
                {%- do scd2_check_incoming(spec, said) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- call statement('tidy') -%}
        drop view pg_temp.{{ said }};
        drop table if exists pg_temp.{{ said }}_differing, pg_temp.{{ said }}_incoming, pg_temp.{{ said }}_versions
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
    }) }}
{%- endmacro -%}


{#- Add to the spec what the model's columns are: `types` by name, `tracked`, `overwritten`. -#}
{%- macro scd2_describe(spec, said) -%}
    {%- set types = scd2_types('pg_temp.' ~ said) -%}
    {%- set own = ['surrogate_key', 'valid_from', 'valid_to', 'is_current', 'etl_batch_id', 'created_at', 'updated_at'] -%}
    {%- set named = spec.natural + [spec.effective_at] + ([spec.inferred] if spec.inferred else []) -%}
    {%- set missing = (named + (spec.tracked or [])) | reject('in', types) | list -%}
    {%- set taken = types | select('in', own) | reject('equalto', spec.effective_at) | list -%}
    {%- set described = types | reject('in', named) | list -%}
    {%- do spec.update({
        'types': types,
        'tracked': described if spec.tracked is none else spec.tracked,
        'overwritten': [] if spec.tracked is none else described | reject('in', spec.tracked) | list,
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
    {%- elif not spec.tracked -%}
        {{ exceptions.raise_compiler_error(this ~ ": scd2 needs at least one tracked column.") }}
    {%- endif -%}
{%- endmacro -%}


{#- The columns of a relation and their types, as PostgreSQL writes them. -#}
{%- macro scd2_types(relation) -%}
    {%- set types = {} -%}
    {%- for row in run_query(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = '" ~ relation
        ~ "'::regclass and attnum > 0 and not attisdropped order by attnum"
    ).rows -%}
        {%- do types.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return(types) }}
{%- endmacro -%}


{%- macro scd2_create(target, spec) -%}
create table {{ target }} (
    surrogate_key bigint generated always as identity primary key,
    {%- for name, type in spec.types.items() if name != spec.effective_at %}
    {{ name }} {{ type }},
    {%- endfor %}
    valid_from timestamptz not null,
    valid_to timestamptz,
    is_current boolean not null,
    etl_batch_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique ({{ spec.natural | join(', ') }}, valid_from)
);
create unique index on {{ target }} ({{ spec.natural | join(', ') }}) where is_current;
insert into {{ target }} (surrogate_key, {{ spec.inferred ~ ', ' if spec.inferred }}valid_from, is_current, etl_batch_id)
overriding system value values (-1, {{ 'false, ' if spec.inferred }}'1900-01-01Z', true, {{ scd2_batch() }})
{%- endmacro -%}


{#- Add the columns that the table lacks; refuse those whose type has changed. -#}
{%- macro scd2_fit_columns(target, spec) -%}
    {%- set held = scd2_types(target) -%}
    {%- for name, type in spec.types.items() if name != spec.effective_at -%}
        {%- if name not in held -%}
            {%- do run_query("alter table " ~ target ~ " add column " ~ name ~ " " ~ type) -%}
        {%- elif held[name] != type -%}
            {{ exceptions.raise_compiler_error(
                target ~ "." ~ name ~ " is held as " ~ held[name] ~ " and the model says " ~ type ~ ". The table was left"
                " as it was. Cast it in the model, or write a migration that converts the column.") }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro -%}


{#- How many members differ; rows without a key are refused. -#}
{%- macro scd2_count_differing(spec, said) -%}
    {%- set found = run_query(
        "select count(*), count(*) filter (where " ~ spec.natural | join(' is null or ') ~ " is null) from pg_temp."
        ~ said ~ "_differing"
    ).rows[0] -%}
    {%- if found[1] -%}
        {{ exceptions.raise_compiler_error(this ~ ": rows of the model have a null in " ~ spec.natural | join(' or ')
            ~ ". The table was left as it was.") }}
    {%- endif -%}
    {{ return(found[0]) }}
{%- endmacro -%}


{#- Refuse rows without a moment, and members that are said to be two things at one moment. -#}
{%- macro scd2_check_incoming(spec, said) -%}
    {%- set by = spec.natural + [spec.effective_at] -%}
    {%- set found = run_query(
        "select count(*) filter (where " ~ spec.effective_at ~ " is null), count(*) filter (where times > 1) from ("
        "select " ~ by | join(', ') ~ ", count(*) as times from pg_temp." ~ said ~ "_incoming group by " ~ by | join(', ')
        ~ ") as moment"
    ).rows[0] -%}
    {%- if found[0] -%}
        {{ exceptions.raise_compiler_error(this ~ ": rows of the model have a null in " ~ spec.effective_at
            ~ ". The table was left as it was.") }}
    {%- elif found[1] -%}
        {{ exceptions.raise_compiler_error(this ~ ": " ~ found[1] ~ " times the model says two different things of one "
            ~ spec.natural | join(', ') ~ " at one " ~ spec.effective_at
            ~ ". The table was left as it was. The model must pick one.") }}
    {%- endif -%}
{%- endmacro -%}


{#- The batch of this run, for SQL. -#}
{%- macro scd2_batch() -%}
    {%- set batch = var('etl_batch_id', none) -%}
    {{ return("null::uuid" if batch is none else "'" ~ batch ~ "'::uuid") }}
{%- endmacro -%}
