-- One row per operatory (chair).

with

operatories as (
    select * from {{ source('open_dental', 'operatory') }}
)

select
    operatorynum as operatory_num,
    {{ cleaned('opname') }} as name,
    {{ cleaned('abbrev') }} as abbreviation,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('provdentist') }} as dentist_num,
    {{ foreign_key('provhygienist') }} as hygienist_num,
    {{ flag('ishygiene') }} as is_hygiene,
    {{ flag('ishidden') }} as is_hidden,
    {{ flag('setprospective') }} as is_prospective,
    {{ flag('iswebsched') }} as is_web_schedulable,
    datetstamp as changed_at
from operatories
