-- One row per clinic. A practice without clinics has none.

with

clinics as (
    select * from {{ source('open_dental', 'clinic') }}
)

select
    clinicnum as clinic_num,
    {{ cleaned('description') }} as name,
    {{ cleaned('abbr') }} as abbreviation,
    {{ cleaned('city') }} as city,
    {{ cleaned('state') }} as state,
    {{ flag('ishidden') }} as is_hidden,
    {{ flag('ismedicalonly') }} as is_medical_only,
    {{ cleaned('timezone') }} as time_zone
from clinics
