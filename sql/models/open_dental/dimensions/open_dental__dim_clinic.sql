-- One row per clinic and version of it; -1 is the clinic nobody knows, and 0 the headquarters, which no table has.

{{ config(natural_key='clinic_num') }}

with

clinics as (
    select * from {{ ref('open_dental__stg_clinic') }}
)

select
    clinic_num,
    name,
    abbreviation,
    city,
    state,
    is_hidden,
    is_medical_only,
    time_zone,
    false as is_gone,
    null::timestamptz as effective_at
from clinics
where clinic_num <> 0
union all
select
    0,
    'Headquarters',
    'HQ',
    null,
    null,
    false,
    false,
    null,
    false,
    null
