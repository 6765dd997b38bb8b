-- One row per link between two patients: one was merged into the other, or is a clone of it.

with

links as (
    select * from {{ source('open_dental', 'patientlink') }}
)

select
    patientlinknum as patient_link_num,
    patnumfrom as from_patient_num,
    patnumto as to_patient_num,
    linktype as link_type_code,
    {{ enum_name('PatientLinkType', 'linktype') }} as link_type,
    {{ non_zero_timestamp('datetimelink') }} as linked_at
from links
