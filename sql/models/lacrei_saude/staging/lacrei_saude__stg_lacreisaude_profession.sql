-- One row per profession of health.

{{ config(alias='lacreisaude_profession', unique_key='profession_id') }}

with

professions as (
    {{ staged('lacreisaude_profession', ['id', 'name'], key='id') | indent(4) }}
)

select
    {{ vocabulary_id('id') }} as profession_id,
    {{ cleaned('name::text') }} as name
from professions
