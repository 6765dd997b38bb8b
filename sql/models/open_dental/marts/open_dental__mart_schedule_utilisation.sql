-- One row per date, operatory and provider: minutes that were open, and what became of them. Planned appointments,
-- notes, those on the unscheduled list and deleted ones take no time. 0 stands for no operatory or provider.

{{
    config(
        unique_key=['schedule_date', 'operatory_num', 'provider_num'],
        window_column='schedule_date',
        tags=['daily'],
    )
}}

with

blocks as (
    select * from {{ ref('open_dental__fact_schedule_block') }}
    where {{ in_window('schedule_date') }}
),

appointments as (
    select * from {{ ref('open_dental__fact_appointment') }}
    where is_on_schedule and {{ in_window('schedule_date') }}
),

providers as (
    select * from {{ ref('open_dental__dim_provider') }}
),

operatories as (
    select * from {{ ref('open_dental__dim_operatory') }}
),

dates as (
    select * from {{ ref('open_dental__dim_date') }}
),

opened as (
    select
        schedule_date,
        operatory_num,
        coalesce(provider_num, 0) as provider_num,
        max(operatory_key) as operatory_key,
        max(provider_key) as provider_key,
        max(clinic_num) as clinic_num,
        sum(open_minutes) as open_minutes
    from blocks
    group by 1, 2, 3
),

booked as (
    select
        schedule_date,
        coalesce(operatory_num, 0) as operatory_num,
        coalesce(seen_by_num, 0) as provider_num,
        max(operatory_key) as operatory_key,
        max(seen_by_key) as provider_key,
        max(clinic_num) as clinic_num,
        count(*) as appointments,
        count(*) filter (where is_completed) as completed_appointments,
        count(*) filter (where is_broken) as broken_appointments,
        count(*) filter (where broken_how = 'Missed') as missed_appointments,
        count(*) filter (where broken_how = 'Cancelled') as cancelled_appointments,
        sum(minutes) filter (where not is_broken) as booked_minutes,
        sum(minutes) filter (where is_completed) as completed_minutes,
        sum(minutes) filter (where is_broken) as broken_minutes
    from appointments
    where schedule_date is not null
    group by 1, 2, 3
),

joined as (
    select
        schedule_date,
        operatory_num,
        provider_num,
        coalesce(opened.operatory_key, booked.operatory_key) as operatory_key,
        coalesce(opened.provider_key, booked.provider_key) as provider_key,
        coalesce(opened.clinic_num, booked.clinic_num) as clinic_num,
        coalesce(opened.open_minutes, 0)::integer as open_minutes,
        coalesce(booked.booked_minutes, 0)::integer as booked_minutes,
        coalesce(booked.completed_minutes, 0)::integer as completed_minutes,
        coalesce(booked.broken_minutes, 0)::integer as broken_minutes,
        coalesce(booked.appointments, 0)::integer as appointments,
        coalesce(booked.completed_appointments, 0)::integer as completed_appointments,
        coalesce(booked.broken_appointments, 0)::integer as broken_appointments,
        coalesce(booked.missed_appointments, 0)::integer as missed_appointments,
        coalesce(booked.cancelled_appointments, 0)::integer as cancelled_appointments
    from opened
    full join booked using (schedule_date, operatory_num, provider_num)
)

select
    joined.schedule_date,
    joined.operatory_num,
    joined.provider_num,
    operatories.name as operatory,
    providers.abbreviation as provider,
    joined.clinic_num,
    coalesce(dates.is_practice_holiday, false) as is_practice_holiday,
    joined.open_minutes,
    joined.booked_minutes,
    joined.completed_minutes,
    joined.broken_minutes,
    joined.appointments,
    joined.completed_appointments,
    joined.broken_appointments,
    joined.missed_appointments,
    joined.cancelled_appointments,
    {{ ratio('joined.booked_minutes::numeric', 'joined.open_minutes') }} as booked_share,
    {{ ratio('joined.completed_minutes::numeric', 'joined.open_minutes') }} as completed_share,
    {{ ratio('joined.broken_appointments::numeric', 'joined.completed_appointments + joined.broken_appointments') }}
        as no_show_share
from joined
left join operatories on joined.operatory_key = operatories.surrogate_key
left join providers on joined.provider_key = providers.surrogate_key
left join dates on joined.schedule_date = dates.date_day
