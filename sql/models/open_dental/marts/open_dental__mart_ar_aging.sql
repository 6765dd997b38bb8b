-- One row per guarantor and day of a snapshot: what the family owes, by the age of what is not paid. Payments and other
-- credits settle the oldest charges first, so that what is owed is what remains of the newest.

{{
    config(
        unique_key=['snapshot_date', 'guarantor_num'],
        slice_by='snapshot_date',
        full_refresh=false,
    )
}}

{%- set window = asked_window() %}
{%- set today = as_of() %}

with

entries as (
    select * from {{ ref('open_dental__fact_ledger_entry') }}
),

patients as (
    select * from {{ ref('open_dental__dim_patient') }}
    where is_current
),

asked as (
    select
        {{ "date '" ~ window[0] ~ "'" if window else "date '-infinity'" }} as first_day,
        least({{ "date '" ~ window[1] ~ "'" if window else today }}, {{ today }}) as last_day
),

-- A snapshot says what was known of its day when it was taken, so none is taken again once its day is over.
{% if is_incremental() -%}
held as (
    select * from {{ this }}
    where {{ in_window('snapshot_date') }} and snapshot_date < {{ today }}
),
{%- endif %}

days as (
    select last_day as snapshot_date
    from asked
    where last_day >= first_day
    union
    select (date_trunc('month', {{ today }}) - interval '1 month' * months_back)::date - 1
    from asked
    cross join generate_series(0, {{ var('aging_months') }} - 1) as months_back
    where
        (date_trunc('month', {{ today }}) - interval '1 month' * months_back)::date - 1
        between asked.first_day and asked.last_day
    {%- if is_incremental() %}
    except
    select snapshot_date from held
    {%- endif %}
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

sums as (
    select
        days.snapshot_date,
        family_days.guarantor_num,
        sum(family_days.charges) filter (
            where family_days.entry_date between days.snapshot_date - 30 and days.snapshot_date
        ) as charges_0_30,
        sum(family_days.charges) filter (
            where family_days.entry_date between days.snapshot_date - 60 and days.snapshot_date - 31
        ) as charges_31_60,
        sum(family_days.charges) filter (
            where family_days.entry_date between days.snapshot_date - 90 and days.snapshot_date - 61
        ) as charges_61_90,
        sum(family_days.charges) filter (
            where family_days.entry_date < days.snapshot_date - 90
        ) as charges_over_90,
        sum(family_days.credits) filter (where family_days.entry_date <= days.snapshot_date) as credits,
        sum(family_days.posted) filter (where family_days.entry_date > days.snapshot_date) as posted_ahead
    from family_days
    cross join days
    group by days.snapshot_date, family_days.guarantor_num
),

filled as (
    select
        snapshot_date,
        guarantor_num,
        coalesce(charges_0_30, 0) as charges_0_30,
        coalesce(charges_31_60, 0) as charges_31_60,
        coalesce(charges_61_90, 0) as charges_61_90,
        coalesce(charges_over_90, 0) as charges_over_90,
        coalesce(credits, 0) as credits,
        coalesce(posted_ahead, 0) as posted_ahead
    from sums
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
    from filled
),

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

taken as (
    select
        aged.snapshot_date,
        aged.guarantor_num,
        coalesce(patients.surrogate_key, -1) as guarantor_key,
        {{ today }} as taken_on,
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

select * from taken
where
    balance <> 0
    or balance_0_30 + balance_31_60 + balance_61_90 + balance_over_90 <> 0
    or posted_ahead <> 0
    or insurance_estimate <> 0
    or write_off_estimate <> 0
{%- if is_incremental() %}
union all
select
    snapshot_date,
    guarantor_num,
    guarantor_key,
    taken_on,
    balance_0_30,
    balance_31_60,
    balance_61_90,
    balance_over_90,
    balance,
    credit,
    posted_ahead,
    insurance_estimate,
    write_off_estimate,
    patient_portion
from held
{%- endif %}
