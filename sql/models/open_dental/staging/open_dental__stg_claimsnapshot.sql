-- One row per claim procedure, as it was expected when its claim was made: later estimates overwrite the first one.

with

snapshots as (
    select * from {{ source('open_dental', 'claimsnapshot') }}
)

select
    claimsnapshotnum as claim_snapshot_num,
    {{ foreign_key('claimprocnum') }} as claim_procedure_num,
    {{ foreign_key('procnum') }} as procedure_num,
    {{ non_zero_date('datetentry') }} as taken_date,
    coalesce({{ money_or_null('writeoff') }}, 0) as write_off,
    coalesce({{ money_or_null('inspayest') }}, 0) as insurance_estimate,
    {{ money('fee') }} as fee
from snapshots
