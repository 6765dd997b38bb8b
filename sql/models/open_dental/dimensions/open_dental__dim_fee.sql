-- One row per fee schedule, procedure code, clinic and provider, and version of the fee; -1 is the fee nobody knows.
-- Of fees for several dates the last that has come counts, of two for one date the one entered last.

{{ config(natural_key=['fee_schedule_num', 'code_num', 'clinic_num', 'provider_num']) }}

with

fees as (
    select * from {{ ref('open_dental__stg_fee') }}
    where effective_date is null or effective_date <= {{ as_of_date() }}
),

fee_schedules as (
    select * from {{ ref('open_dental__stg_feesched') }}
),

in_effect as (
    select distinct on (fee_schedule_num, code_num, clinic_num, provider_num) *
    from fees
    order by
        fee_schedule_num asc, code_num asc, clinic_num asc, provider_num asc,
        effective_date desc nulls last, fee_num desc
)

select
    in_effect.fee_schedule_num,
    in_effect.code_num,
    in_effect.clinic_num,
    in_effect.provider_num,
    fee_schedules.name as fee_schedule,
    fee_schedules.fee_schedule_type,
    in_effect.amount,
    in_effect.is_blank,
    in_effect.effective_date,
    false as is_gone,
    greatest(in_effect.changed_at, {{ day_start('in_effect.effective_date') }}) as effective_at
from in_effect
left join fee_schedules on in_effect.fee_schedule_num = fee_schedules.fee_schedule_num
