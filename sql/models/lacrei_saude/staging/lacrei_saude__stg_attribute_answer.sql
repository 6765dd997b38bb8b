-- One row per attribute of people and answer to it that the source knows or somebody gave: a key of a lookup table in
-- the older schema, a code in the newer one; with the code that it is conformed to.

{{ config(alias='attribute_answer', unique_key=['attribute', 'answer']) }}

{%- set newer = {
    'ethnic_group': 'ethnic_group', 'gender_identity': 'gender_identity', 'sexual_orientation': 'sexuality',
    'pronoun': 'pronoun',
} %}
{%- set older = {
    'ethnic_group_id': 'ethnic_group', 'gender_identity_id': 'gender_identity', 'sexual_orientation_id': 'sexuality',
    'pronoun_id': 'pronoun',
} %}
{%- set columns = (newer.values() | list) + (older | list) + ['disability_types'] %}

with

profiles as (
    {{ staged('lacreiid_profile', columns, unless=older) | indent(4) }}
),

professionals as (
    {{ staged('lacreisaude_professional', columns, unless=older) | indent(4) }}
),

{{ known_answers() }},

given as (
    {%- for relation in ('profiles', 'professionals') %}
    {%- for attribute, column in newer.items() %}
    select
        '{{ attribute }}' as attribute,
        coalesce({{ column }}::text, {{ attribute }}_id::text) as answer
    from {{ relation }}
    union
    {%- endfor %}
    select
        'disability_type' as attribute,
        unnest(disability_types::text[]) as answer
    from {{ relation }}
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

answers as (
    select
        attribute,
        answer,
        {{ cleaned('label') }} as label
    from lookup_answers
    union all
    select
        given.attribute,
        given.answer,
        null
    from given
    left join lookup_answers on given.attribute = lookup_answers.attribute and given.answer = lookup_answers.answer
    where given.answer is not null and lookup_answers.answer is null
)

select
    answers.attribute,
    answers.answer,
    answers.label,
    codes.by_answer
    ->> (answers.attribute || ' ' || {{ plain_text('coalesce(answers.label, answers.answer)') }}) as code
from answers
cross join codes
