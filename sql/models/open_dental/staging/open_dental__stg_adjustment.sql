-- One row per adjustment: what is added to an account, or taken off it.

with

adjustments as (
    select * from {{ source('open_dental', 'adjustment') }}
)

select
    adjnum as adjustment_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('procnum') }} as procedure_num,
    {{ foreign_key('adjtype') }} as adjustment_type_num,
    {{ non_zero_date('adjdate') }} as adjustment_date,
    {{ non_zero_date('procdate') }} as procedure_date,
    {{ non_zero_date('dateentry') }} as entered_date,
    coalesce({{ money('adjamt') }}, 0) as amount
from adjustments
