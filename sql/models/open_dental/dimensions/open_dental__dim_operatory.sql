-- One row per operatory and version of it; -1 is the operatory nobody knows, and none.

{{ config(natural_key='operatory_num') }}

with

operatories as (
    select * from {{ ref('open_dental__stg_operatory') }}
),

clinics as (
    select * from {{ ref('open_dental__stg_clinic') }}
)

select
    operatories.operatory_num,
    operatories.name,
    operatories.abbreviation,
    operatories.clinic_num,
    case when operatories.clinic_num = 0 then 'Headquarters' else clinics.name end as clinic_name,
    operatories.dentist_num,
    operatories.hygienist_num,
    operatories.is_hygiene,
    operatories.is_hidden,
    operatories.is_prospective,
    operatories.is_web_schedulable,
    false as is_gone,
    operatories.changed_at as effective_at
from operatories
left join clinics on operatories.clinic_num = clinics.clinic_num
