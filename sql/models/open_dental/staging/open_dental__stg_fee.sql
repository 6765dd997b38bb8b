-- One row per fee that was entered, for a schedule, a code, and a clinic and provider or all of them (0).

with

fees as (
    select * from {{ source('open_dental', 'fee') }}
)

select
    feenum as fee_num,
    feesched as fee_schedule_num,
    codenum as code_num,
    coalesce(clinicnum, 0) as clinic_num,
    coalesce(provnum, 0) as provider_num,
    {{ money_or_null('amount') }} as amount,
    amount = -1 as is_blank,
    {{ non_zero_date('dateeffective') }} as effective_date,
    secdatetedit as changed_at
from fees
where feesched <> 0 and codenum <> 0
