-- Guarantors of whom the source says another balance than the snapshot of the day on which it computed its own, or the
-- newest one where there is none of that day. It computes them only when its ageing runs: what was entered since then
-- is a difference, and so is an option of its ageing that is not followed here (AgingProcLifo).

{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'open_dental__mart_ar_aging'}}}) }}

with

snapshots as (
    select * from {{ ref('open_dental__mart_ar_aging') }}
),

patients as (
    select * from {{ ref('open_dental__stg_patient') }}
    where patient_num = guarantor_num
),

last_aging as (
    select max(preference_value::date) as day
    from {{ ref('open_dental__stg_preference') }}
    where preference_name = 'DateLastAging' and preference_value ~ '^\d{4}-\d\d-\d\d$'
),

compared_day as (
    select
        coalesce(
            max(snapshots.snapshot_date) filter (where snapshots.snapshot_date = last_aging.day),
            max(snapshots.snapshot_date)
        ) as day
    from snapshots
    cross join last_aging
),

compared_snapshots as (
    select snapshots.*
    from snapshots
    inner join compared_day on snapshots.snapshot_date = compared_day.day
),

compared as (
    select
        coalesce(patients.patient_num, compared_snapshots.guarantor_num) as guarantor_num,
        amounts.what,
        coalesce(amounts.of_source, 0) as of_source,
        coalesce(amounts.of_snapshot, 0) as of_snapshot
    from patients
    full join compared_snapshots on patients.patient_num = compared_snapshots.guarantor_num
    cross join lateral (
        values
        ('balance_0_30', patients.balance_0_30, compared_snapshots.balance_0_30),
        ('balance_31_60', patients.balance_31_60, compared_snapshots.balance_31_60),
        ('balance_61_90', patients.balance_61_90, compared_snapshots.balance_61_90),
        ('balance_over_90', patients.balance_over_90, compared_snapshots.balance_over_90),
        -- The source adds what is posted ahead.
        ('balance', patients.balance_total, compared_snapshots.balance + compared_snapshots.posted_ahead),
        (
            'insurance_estimate',
            patients.insurance_estimate,
            compared_snapshots.insurance_estimate + compared_snapshots.write_off_estimate
        )
    ) as amounts (what, of_source, of_snapshot)
)

select * from compared
where abs(of_source - of_snapshot) > 0.01
