-- One row per attribute of people and answer to it that the source knows or somebody gave: a key of a lookup table in
-- the older schema, a code in the newer one; with the code that it is conformed to.

{{ config(alias='attribute_answer', unique_key=['attribute', 'answer']) }}

{%- set attributes = {
    'ethnic_group': 'ethnic_group', 'gender_identity': 'gender_identity', 'sexual_orientation': 'sexuality',
    'pronoun': 'pronoun', 'disability_type': 'disability_types',
} %}

with

profiles as (
    {{ staged('lacreiid_profile', attributes.values() | list) | indent(4) }}
),

professionals as (
    {{ staged('lacreisaude_professional', attributes.values() | list) | indent(4) }}
),

{{ known_answers() }},

given as (
    select * from profiles
    union all
    select * from professionals
),

answers as (
    select
        attribute,
        answer,
        {{ cleaned('label') }} as label
    from lookup_answers
    union all
    select distinct
        given_answer.attribute,
        given_answer.answer,
        null
    from given
    cross join lateral (
        {%- for attribute, column in attributes.items() %}
        {%- if attribute == 'disability_type' %}
        select
            '{{ attribute }}',
            unnest({{ column }}::text[])
        {%- else %}
        select
            '{{ attribute }}',
            {{ cleaned(column ~ '::text') }}
        union all
        {%- endif %}
        {%- endfor %}
    ) as given_answer (attribute, answer)
    where given_answer.answer is not null
)

select
    answers.attribute,
    answers.answer,
    answers.label,
    codes.by_answer
    ->> (answers.attribute || ' ' || {{ plain_text('coalesce(answers.label, answers.answer)') }}) as code
from answers
cross join codes
