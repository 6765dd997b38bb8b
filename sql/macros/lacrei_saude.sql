{#- What the columns of Lacrei Saude mean, said once, and how its two schemas are read by the same SQL.

    The older schema has keys of lookup tables (`ethnic_group_id`), the newer one codes of two letters (`ethnic_group`)
    and arrays. Staging has what the source had: a table or column that it never had is missing, and one that it gave up
    stays as it was. -#}

{#- The named columns of a staging table, and all of its rows, one for each `key` where one is named: the latest. What
    is missing is null, and of a table that is missing there are no rows.

    `unless` says what the newer schema has in the place of a column, by its name: where the table has that, the older
    one is not looked at and is null. `unless_in` says the same of all of the table: no rows of it count where the table
    that it names, or this one, has that column.

    Only a run looks at the warehouse: what is compiled without one has all columns, so that the code of a model does
    not change with its source. -#}
{%- macro staged(table, columns, key=none, unless={}, unless_in=none) -%}
    {%- set relation = source('lacrei_saude', table) -%}
    {%- set held = staged_columns(relation) -%}
    {%- set newer = staged_columns(source('lacrei_saude', unless_in[0])) if unless_in else none -%}
    {%- set is_given_up = newer is not none and unless_in[1] in newer -%}
select{{ ' distinct on (' ~ key ~ ')' if key and held != [] }}
    {%- for column in columns %}
    {%- set is_read = held is none or (column in held and unless.get(column) not in held) %}
    {{ column if is_read else 'null::text as ' ~ column }}{{ ',' if not loop.last }}
    {%- endfor %}
    {%- if held == [] %}
where false
    {%- else %}
from {{ relation }}
    {%- if is_given_up %}
where false
    {%- endif %}
    {%- if key %}
order by {{ key }}{{ ', updated_at desc nulls last' if held is none or 'updated_at' in held }}
    {%- endif %}
    {%- endif %}
{%- endmacro -%}

{#- The columns of a table in the warehouse; empty where there is no such table, none where nobody may be asked. -#}
{%- macro staged_columns(relation) -%}
    {%- if not execute or not flags.INTROSPECT -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set columns = run_query(
        "select attname from pg_attribute where attrelid = to_regclass('" ~ relation ~ "') and attnum > 0"
        " and not attisdropped"
    ).columns[0].values() -%}
    {{ return(columns | list) }}
{%- endmacro -%}

{#- A truth by the words for it; null where it is neither. -#}
{%- macro truth(column) -%}
    case
        when lower({{ cleaned(column ~ '::text') }}) in ('true', 't', '1', 'yes', 'y', 'sim', 's', 'on', 'verdadeiro')
            then true
        when lower({{ cleaned(column ~ '::text') }}) in ('false', 'f', '0', 'no', 'n', 'não', 'nao', 'off', 'falso')
            then false
    end
{%- endmacro -%}

{#- The key of a row of a vocabulary, which is a number; null where it is none. Keys of all else are texts. -#}
{%- macro vocabulary_id(column) -%}
    case when {{ column }}::text ~ '^\s*[0-9]{1,18}\s*$' then {{ column }}::text::bigint end
{%- endmacro -%}

{#- A moment or a date that is one: infinity is none. -#}
{%- macro finite(column, kind='timestamptz') -%}
    case when isfinite({{ column }}::{{ kind }}) then {{ column }}::{{ kind }} end
{%- endmacro -%}

{#- A condition: it is a number that no price is, NaN or infinite. -#}
{%- macro is_no_number(column) -%}
    coalesce({{ column }}::numeric in ('NaN', 'Infinity', '-Infinity'), false)
{%- endmacro -%}

{#- A price; null where it is no number. -#}
{%- macro price(column) -%}
    case when not {{ is_no_number(column) }} then {{ column }}::numeric end::numeric(14, 2)
{%- endmacro -%}

{#- Text to be compared: without case, accents, and hyphens. -#}
{%- macro plain_text(column) -%}
    btrim(regexp_replace(
        translate(normalize(lower({{ column }}), nfkd), '-', ' '), '[\u0300-\u036f]', '', 'g'
    ))
{%- endmacro -%}

{#- Whom a privacy document is for, in the words of both schemas. -#}
{%- macro conformed_profile_type(column) -%}
    case
        when lower({{ cleaned(column) }}) in ('lacreiid', 'client') then 'patient'
        when lower({{ cleaned(column) }}) in ('lacreisaude', 'professional') then 'professional'
    end
{%- endmacro -%}

{#- Lookup tables of the older schema: attribute, key and label of each answer. -#}
{%- macro lookup_answers() -%}
    {%- for attribute, table in {
        'ethnic_group': 'lacreiid_ethnicgroup',
        'gender_identity': 'lacreiid_genderidentity',
        'sexual_orientation': 'lacreiid_sexualorientation',
        'pronoun': 'lacreiid_pronoun',
        'disability_type': 'lacreiid_disabilitytype',
    }.items() %}
select
    '{{ attribute }}' as attribute,
    id::text as answer,
    {{ 'pronoun' if attribute == 'pronoun' else 'name' }}::text as label
from ({{ staged(table, ['id', 'pronoun' if attribute == 'pronoun' else 'name']) }}) as {{ table }}
{{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}

{#- CTEs: `spellings`, each code of an attribute by each way to write it, and `codes`, one row in whose `by_answer` the
    macro `answer_code` looks up what was answered: a code, a label, or the key of a row of a lookup table. -#}
{%- macro known_answers() -%}
spellings as (
    select
        known.attribute,
        known.code,
        {{ plain_text('spelling.text') }} as spelling
    from {{ ref('lacrei_saude__attribute_code') }} as known
    cross join lateral unnest(
        array[known.code, known.label] || string_to_array(known.spellings, '|')
    ) as spelling (text)
),

lookup_answers as (
    {{ lookup_answers() | trim | indent(4) }}
),

codes as (
    select jsonb_object_agg(attribute || ' ' || answer, code) as by_answer
    from (
        select
            lookup_answers.attribute,
            lookup_answers.answer,
            spellings.code
        from lookup_answers
        inner join spellings
            on lookup_answers.attribute = spellings.attribute
            and {{ plain_text('lookup_answers.label') }} = spellings.spelling
        union all
        select
            attribute,
            spelling,
            code
        from spellings
    ) as every_answer
)
{%- endmacro -%}

{#- The code of an answer; null where there is none, or one that nobody knows. -#}
{%- macro answer_code(attribute, answer) -%}
    codes.by_answer ->> ('{{ attribute }} ' || {{ plain_text(answer ~ '::text') }})
{%- endmacro -%}

{#- The codes of several answers, each once and in order; null where there is none. -#}
{%- macro answer_codes(attribute, answers) -%}
    (
        select array_agg(distinct {{ answer_code(attribute, 'answer.text') }})
            filter (where {{ answer_code(attribute, 'answer.text') }} is not null)
        from unnest({{ answers }}::text[]) as answer (text)
    )
{%- endmacro -%}

{#- The group of an age in whole years, as people read it. -#}
{%- macro age_group(years) -%}
    case
        when {{ years }} between 0 and 17 then '<18'
        when {{ years }} between 18 and 25 then '18-25'
        when {{ years }} between 26 and 35 then '26-35'
        when {{ years }} between 36 and 45 then '36-45'
        when {{ years }} between 46 and 60 then '46-60'
        when {{ years }} between 61 and 120 then '60+'
        else 'N/I'
    end
{%- endmacro -%}

{#- The clock of what has no place: accounts, and visits online. -#}
{%- macro network_time_zone() -%}
    'America/Sao_Paulo'
{%- endmacro -%}

{#- The day of a moment by a clock, as the key of dim_date: 20260227. -#}
{%- macro date_id(moment, time_zone) -%}
    to_char({{ moment }} at time zone {{ time_zone }}, 'YYYYMMDD')::integer
{%- endmacro -%}

{#- A share in per cent, to two places; null where there is nothing to have a share of. -#}
{%- macro per_cent(part, whole) -%}
    round(100.0 * ({{ part }}) / nullif({{ whole }}, 0), 2)::numeric(14, 2)
{%- endmacro -%}

{#- A mean to two places; null where there is nothing to average. -#}
{%- macro mean(column) -%}
    round(avg({{ column }}), 2)::numeric(14, 2)
{%- endmacro -%}

{#- What a group is called in which nobody said what it goes by: a null joins nothing. -#}
{%- macro or_unknown(column) -%}
    coalesce({{ column }}, 'N/I')
{%- endmacro -%}

{#- A post-hook of a dimension: the members that the source has no more are forgotten, with all of their versions. -#}
{%- macro forget_gone_members() -%}
    {%- if execute and config.get('materialized') == 'scd2' -%}
        {%- set key, flag = config.get('natural_key'), config.get('deleted_flag') -%}
        delete from {{ this }}
        where {{ key }} in (select gone.{{ key }} from {{ this }} as gone where gone.is_current and gone.{{ flag }})
    {%- endif -%}
{%- endmacro -%}

{#- A post-hook of a dimension: all versions of a member have in this column what the one in force has. A pseudonym is
    of no time: where the secret was changed, an older version would tell who the older pseudonym was. -#}
{%- macro overwrite_in_all_versions(column) -%}
    {%- set key = config.get('natural_key') -%}
    update {{ this }} as version
    set {{ column }} = latest.{{ column }}
    from {{ this }} as latest
    where
        latest.is_current
        and version.{{ key }} = latest.{{ key }}
        and version.{{ column }} is distinct from latest.{{ column }}
{%- endmacro -%}
