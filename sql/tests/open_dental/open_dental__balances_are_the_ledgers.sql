-- Families whose balance of today is not what their accounts add up to.

{{ config(meta={'dagster': {'ref': {'name': 'open_dental__mart_ar_aging'}}}) }}

with

snapshots as (
    select * from {{ ref('open_dental__mart_ar_aging') }}
    where taken_on = {{ as_of_date() }} and snapshot_date = {{ as_of_date() }}
),

entries as (
    select * from {{ ref('open_dental__fact_ledger_entry') }}
    where entry_date <= {{ as_of_date() }}
),

patients as (
    select * from {{ ref('open_dental__dim_patient') }}
    where is_current
),

ledgers as (
    select
        coalesce(patients.guarantor_num, entries.patient_num) as guarantor_num,
        sum(entries.amount) as balance
    from entries
    left join patients on entries.patient_num = patients.patient_num
    group by coalesce(patients.guarantor_num, entries.patient_num)
),

snapshot_counts as (
    select count(*) as snapshots from snapshots
)

select
    guarantor_num,
    snapshots.balance as balance_of_snapshot,
    ledgers.balance as balance_of_ledger
from snapshots
full join ledgers using (guarantor_num)
cross join snapshot_counts
where
    coalesce(snapshots.balance, 0) <> coalesce(ledgers.balance, 0)
    -- Without a snapshot of today there is nothing to compare.
    and snapshot_counts.snapshots > 0
