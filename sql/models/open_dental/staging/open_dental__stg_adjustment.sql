-- One row per adjustment: what is added to an account, or taken off it.

with

adjustments as (
    select * from {{ source('open_dental', 'adjustment') }}
)

select
    adjnum as adjustment_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ reference_to('provnum') }} as provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ reference_to('procnum') }} as procedure_num,
    {{ reference_to('adjtype') }} as adjustment_type_num,
    {{ real_date('adjdate') }} as adjustment_date,
    {{ real_date('procdate') }} as procedure_date,
    {{ real_date('dateentry') }} as entered_date,
    coalesce({{ money('adjamt') }}, 0) as amount
from adjustments
