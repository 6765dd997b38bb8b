-- One row per guarantor and day of a snapshot: what the family owes, by the age of what is not paid. Payments and other
-- credits settle the oldest charges first, so that what is owed is what remains of the newest.

{{ config(materialized='daily_snapshot', unique_key=['snapshot_date', 'guarantor_num']) }}

with

days as (
    {{ snapshot_days(month_ends=var('aging_months')) }}
),

entries as (
    select * from {{ ref('open_dental__fact_ledger_entry') }}
),

patients as (
    select * from {{ ref('open_dental__dim_patient') }}
    where is_current
),

-- Whatever is over 90 days old on the first of the days is so on all of them, and is counted as one day.
oldest as (
    select min(snapshot_date) - 91 as entry_date from days
),

family_days as (
    select
        coalesce(patients.guarantor_num, entries.patient_num) as guarantor_num,
        greatest(entries.entry_date, oldest.entry_date) as entry_date,
        coalesce(sum(entries.amount) filter (where entries.amount > 0), 0) as charges,
        coalesce(-sum(entries.amount) filter (where entries.amount < 0), 0) as credits,
        coalesce(sum(entries.amount) filter (where entries.entry_type <> 'payment_plan_charge'), 0) as posted
    from entries
    cross join oldest
    left join patients on entries.patient_num = patients.patient_num
    where entries.patient_num is not null
    group by 1, 2
),

-- How old each is on each snapshot; what is posted ahead is younger than nothing.
ages as (
    select
        days.snapshot_date,
        days.snapshot_date - family_days.entry_date as age_days,
        family_days.guarantor_num,
        family_days.charges,
        family_days.credits,
        family_days.posted
    from family_days
    cross join days
),

buckets as (
    select
        snapshot_date,
        guarantor_num,
        coalesce(sum(charges) filter (where age_days between 0 and 30), 0) as charges_0_30,
        coalesce(sum(charges) filter (where age_days between 31 and 60), 0) as charges_31_60,
        coalesce(sum(charges) filter (where age_days between 61 and 90), 0) as charges_61_90,
        coalesce(sum(charges) filter (where age_days > 90), 0) as charges_over_90,
        coalesce(sum(credits) filter (where age_days >= 0), 0) as credits,
        coalesce(sum(posted) filter (where age_days < 0), 0) as posted_ahead
    from ages
    group by snapshot_date, guarantor_num
),

-- What is left of a bucket is what the credits leave of it and all older ones, and never more than the bucket itself.
aged as (
    select
        snapshot_date,
        guarantor_num,
        charges_over_90 + charges_61_90 + charges_31_60 + charges_0_30 - credits as balance,
        greatest(least(charges_0_30, charges_over_90 + charges_61_90 + charges_31_60 + charges_0_30 - credits), 0)
            as balance_0_30,
        greatest(least(charges_31_60, charges_over_90 + charges_61_90 + charges_31_60 - credits), 0) as balance_31_60,
        greatest(least(charges_61_90, charges_over_90 + charges_61_90 - credits), 0) as balance_61_90,
        greatest(charges_over_90 - credits, 0) as balance_over_90,
        posted_ahead
    from buckets
),

-- What insurance was expected to pay on that day: what it had not answered yet.
expected as (
    select
        days.snapshot_date,
        coalesce(patients.guarantor_num, entries.patient_num) as guarantor_num,
        sum(entries.insurance_estimate) as insurance_estimate,
        sum(entries.write_off_estimate) as write_off_estimate
    from entries
    inner join days
        on entries.expected_from <= days.snapshot_date
        and (entries.expected_until is null or entries.expected_until > days.snapshot_date)
    left join patients on entries.patient_num = patients.patient_num
    where entries.insurance_estimate <> 0 or entries.write_off_estimate <> 0
    group by days.snapshot_date, coalesce(patients.guarantor_num, entries.patient_num)
),

snapshots as (
    select
        aged.snapshot_date,
        aged.guarantor_num,
        {{ dimension_key('patients') }} as guarantor_key,
        {{ as_of_date() }} as taken_on,
        aged.balance_0_30::numeric(14, 2) as balance_0_30,
        aged.balance_31_60::numeric(14, 2) as balance_31_60,
        aged.balance_61_90::numeric(14, 2) as balance_61_90,
        aged.balance_over_90::numeric(14, 2) as balance_over_90,
        aged.balance::numeric(14, 2) as balance,
        greatest(-aged.balance, 0)::numeric(14, 2) as credit,
        aged.posted_ahead::numeric(14, 2) as posted_ahead,
        coalesce(expected.insurance_estimate, 0)::numeric(14, 2) as insurance_estimate,
        coalesce(expected.write_off_estimate, 0)::numeric(14, 2) as write_off_estimate,
        (
            aged.balance - coalesce(expected.insurance_estimate, 0) - coalesce(expected.write_off_estimate, 0)
        )::numeric(14, 2) as patient_portion
    from aged
    left join expected
        on aged.snapshot_date = expected.snapshot_date
        and aged.guarantor_num = expected.guarantor_num
    left join patients on aged.guarantor_num = patients.patient_num
)

-- A family that neither owes nor is owed anything has no row.
select * from snapshots
where
    balance <> 0
    or balance_0_30 + balance_31_60 + balance_61_90 + balance_over_90 <> 0
    or posted_ahead <> 0
    or insurance_estimate <> 0
    or write_off_estimate <> 0
