-- One row per patient and subscription that covers them now; a row is deleted when the plan is dropped.

with

coverages as (
    select * from {{ source('open_dental', 'patplan') }}
)

select
    patplannum as patient_plan_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('inssubnum') }} as subscription_num,
    ordinal,
    relationship as relationship_code,
    {{ enum_name('Relat', 'relationship') }} as relationship,
    {{ flag('ispending') }} as is_pending,
    secdatetedit as changed_at
from coverages
