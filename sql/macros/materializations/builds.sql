{#- How the materializations talk to the ledger: whether a model is to be built, of which dates, and what became of it.
    What the ledger must know of a model is in its `meta.build`, which the code location enters into the manifest; dbt by
    hand has none of it, and builds what it is told to. -#}

{#- Begin to build a relation: take an advisory lock to the end of the transaction, so that two builds take turns, and ask
    the ledger. Not a lock of the table: two builds may be the first, and a table that is locked against writers waits a
    second for autovacuum to give way. Returns `current` where nothing that the model reads has changed; otherwise
    `changed`, or `new code` where the model, or the table, is another one than was built last. -#}
{%- macro begin_build() -%}
    {%- do run_query("select pg_advisory_xact_lock(hashtextextended('" ~ this ~ "', 0))") -%}
    {%- set build = config.get('meta', {}).get('build') -%}
    {%- set answer = 'new code' if not build else run_query(
        "select etl.begin_build('" ~ relation_name() ~ "', '" ~ tojson(build) ~ "')").rows[0][0] -%}
    {%- do model.update({'begun': answer}) -%}
    {{ return(answer) }}
{%- endmacro -%}

{#- Whether what is said of a relation besides its rows (comments, grants, indexes) may be other than it was. -#}
{%- macro is_new_code() -%}
    {{ return(model.get('begun', 'new code') == 'new code') }}
{%- endmacro -%}

{#- Whether it is built for a preview, in a schema of its own: the ledger hears nothing of it, and no reader sees it. -#}
{%- macro is_preview() -%}
    {{ return(config.get('meta', {}).get('preview', false)) }}
{%- endmacro -%}

{#- Record that a relation is built, in the transaction that wrote it: `written` rows, and the date from which on rows
    may have changed, where the window does not say it. -#}
{%- macro end_build(written, changed_from=none) -%}
    {%- set build = config.get('meta', {}).get('build') -%}
    {%- set margin = 13 if config.get('window_macro') else 0 -%}
    {%- if is_preview() -%}
        {{ return('') }}
    {%- elif build -%}
        {%- do run_query(
            "select etl.end_build('" ~ relation_name() ~ "', '" ~ tojson(build) ~ "', " ~ written ~ ", "
            ~ ("null" if changed_from is none else "'" ~ changed_from ~ "'") ~ ", "
            ~ (config.get('window_days_before', 0) + margin) ~ ", "
            ~ (config.get('window_days_after', 0) + margin) ~ ")") -%}
    {%- else -%}
        {%- do run_query("select etl.built_by_hand('" ~ relation_name() ~ "', " ~ written ~ ")") -%}
    {%- endif -%}
{%- endmacro -%}

{#- The end of a materialization, before its hooks: what is said of the relation in words, and to the ledger. -#}
{%- macro finish_build(target, written, changed_from=none) -%}
    {%- if is_new_code() -%}
        {%- do persist_docs(target, model) -%}
    {%- endif -%}
    {%- do end_build(written, changed_from) -%}
{%- endmacro -%}

{#- The name by which the ledger knows a relation. -#}
{%- macro relation_name() -%}
    {{ return(this.schema ~ '.' ~ this.identifier) }}
{%- endmacro -%}

{#- End a materialization that has nothing to do. -#}
{%- macro pass_over() -%}
    {%- call statement('nothing') -%}
        select
    {%- endcall -%}
    {%- do store_raw_result('main', message='CURRENT', code='CURRENT', rows_affected='0') -%}
    {%- do adapter.commit() -%}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{%- endmacro -%}

{#- A post-hook: record that a seed was loaded, in the transaction that loaded it. -#}
{%- macro record_seed() -%}
    {%- if execute and not is_preview() -%}
        {%- set build = config.get('meta', {}).get('build') -%}
        {%- set written = load_result('main')['response'].rows_affected -%}
        {%- if build -%}
            select etl.seed_built('{{ relation_name() }}', '{{ build.code }}', {{ written }})
        {%- else -%}
            select etl.built_by_hand('{{ relation_name() }}', greatest({{ written }}, 1))
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{#- The batch of this run, for SQL. -#}
{%- macro run_batch_id() -%}
    {{ return("nullif(current_setting('etl.batch_id', true), '')::uuid") }}
{%- endmacro -%}

{#- Run the statements of a materialization in their order, pairs of a name and SQL; how many rows were written by those
    whose name begins with `write`. The names are what dbt's log calls them. -#}
{%- macro run_steps(steps) -%}
    {%- set counts = namespace(written=0) -%}
    {%- for name, step in steps -%}
        {%- call statement(name) -%}
            {{ step }}
        {%- endcall -%}
        {%- if name.startswith('write') -%}
            {%- set counts.written = counts.written + load_result(name)['response'].rows_affected -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(counts.written) }}
{%- endmacro -%}
