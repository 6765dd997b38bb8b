-- One row per procedure code and version of it; -1 is the code nobody knows.

{{ config(natural_key='code_num') }}

with

codes as (
    select * from {{ ref('open_dental__stg_procedurecode') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
)

select
    codes.code_num,
    codes.procedure_code,
    codes.description,
    codes.abbreviation,
    codes.layman_term,
    codes.category_num,
    definitions.item_name as category,
    codes.treatment_area_code,
    codes.treatment_area,
    codes.is_hygiene,
    codes.is_prosthesis,
    codes.is_radiology,
    codes.is_multi_visit,
    codes.is_taxed,
    codes.is_not_billed,
    codes.base_units,
    codes.minutes,
    codes.medical_code,
    false as is_gone,
    codes.changed_at as effective_at
from codes
left join definitions on codes.category_num = definitions.definition_num
