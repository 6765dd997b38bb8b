-- One row per procedure code. Codes are case-sensitive and are not touched.

with

codes as (
    select * from {{ source('open_dental', 'procedurecode') }}
)

select
    codenum as code_num,
    proccode as procedure_code,
    {{ cleaned('descript') }} as description,
    {{ cleaned('abbrdesc') }} as abbreviation,
    {{ cleaned('laymanterm') }} as layman_term,
    {{ foreign_key('proccat') }} as category_num,
    treatarea as treatment_area_code,
    {{ enum_name('TreatmentArea', 'treatarea') }} as treatment_area,
    {{ flag('ishygiene') }} as is_hygiene,
    {{ flag('isprosth') }} as is_prosthesis,
    {{ flag('isradiology') }} as is_radiology,
    {{ flag('ismultivisit') }} as is_multi_visit,
    {{ flag('istaxed') }} as is_taxed,
    {{ flag('nobillins') }} as is_not_billed,
    baseunits as base_units,
    {{ pattern_minutes('proctime') }} as minutes,
    {{ cleaned('medicalcode') }} as medical_code,
    datetstamp as changed_at
from codes
