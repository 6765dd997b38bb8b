-- One row per shift, cancelled and vacant ones too, with its hours and what is billed and paid for it. Employee,
-- position, client and region are those in force when it began; -1 where there is none or nobody knows.
-- A shift whose date lies in no billing period is left out.

{{
    config(
        materialized='list_partitioned',
        partition_by='billing_period_id',
        unique_key=['billing_period_id', 'shift_id'],
        moves_by='shift_id',
        slice_by='week_ending',
        slice_days_after=6,
        not_null=[
            'employee_id', 'position_id', 'client_id', 'employee_key', 'position_key', 'client_key', 'region_key',
            'shift_date', 'week_ending', 'bill_basis',
        ],
        indexes=[{'columns': ['week_ending']}],
    )
}}

with

hours as (
    select * from {{ ref('tracktik__int_shift_hours') }}
),

overtime as (
    select * from {{ ref('tracktik__int_shift_overtime') }}
),

documents as (
    select
        shift_id,
        raw_data
    from {{ ref('tracktik__stg_shifts') }}
    where {{ in_work_weeks('shift_date') }}
),

summaries as (
    select * from {{ ref('tracktik__stg_shift_summaries') }}
    where {{ in_window('period_date', 6 + var('document_reach_days') | int, var('document_reach_days') | int) }}
),

periods as (
    select * from {{ ref('tracktik__stg_billing_periods') }}
),

-- What we compute ourselves, each component rounded to cents by itself.
computed as (
    select
        hours.*,
        coalesce(round(hours.bill_rate * hours.billable_hours, 2), 0) as bill_base,
        coalesce(bill.overtime_hours, 0) as bill_overtime_hours,
        coalesce(bill.overtime_impact, 0) as bill_overtime_impact,
        {{ holiday_impact('hours', 'bill') }} as bill_holiday_impact,
        coalesce(
            round(hours.bill_rate * hours.billable_hours * hours.discount_rate / 100, 2), 0
        ) as bill_discount_impact,
        coalesce(round(hours.pay_rate * hours.payable_hours, 2), 0) as pay_base,
        coalesce(pay.overtime_hours, 0) as pay_overtime_hours,
        coalesce(pay.overtime_impact, 0) as pay_overtime_impact,
        {{ holiday_impact('hours', 'pay') }} as pay_holiday_impact
    from hours
    left join overtime as bill on hours.shift_id = bill.shift_id and bill.side = 'bill'
    left join overtime as pay on hours.shift_id = pay.shift_id and pay.side = 'pay'
),

totals as (
    select
        *,
        bill_base + bill_overtime_impact + bill_holiday_impact - bill_discount_impact as bill_total,
        pay_base + pay_overtime_impact + pay_holiday_impact as pay_total
    from computed
)

select
    period.billing_period_id,
    totals.shift_id,
    coalesce(totals.employee_id, -1) as employee_id,
    coalesce(totals.position_id, -1) as position_id,
    coalesce(totals.client_id, -1) as client_id,
    totals.employee_key,
    totals.position_key,
    totals.client_key,
    totals.region_key,
    totals.shift_date,
    totals.week_ending,
    period.period_start,
    period.period_end,
    totals.started_at as start_datetime,
    totals.ended_at as end_datetime,
    totals.time_zone,
    totals.status,
    totals.attendance_status,
    totals.is_vacant,
    totals.paid_time_off,
    totals.is_standby,
    totals.is_billable,
    totals.is_approved,
    case when totals.is_approved then totals.updated_by end as approved_by,
    case when totals.is_approved then totals.modified_at end as approved_at,
    totals.scheduled_hours::numeric(10, 4) as scheduled_hours,
    totals.clocked_hours::numeric(10, 4) as clocked_hours,
    totals.approved_hours::numeric(10, 4) as approved_hours,
    totals.billable_hours::numeric(10, 4) as billable_hours,
    totals.payable_hours::numeric(10, 4) as payable_hours,
    case
        when not totals.is_counted then 'none'
        when summaries.shift_id is not null then 'summary'
        when not totals.is_approved then 'none'
        else 'computed'
    end as bill_basis,
    coalesce(summaries.bill_base_rate, totals.bill_rate)::numeric(12, 4) as bill_rate_regular,
    case
        when abs(billed.total) < 100000000 * totals.billable_hours
            then round(billed.total / nullif(totals.billable_hours, 0), 4)
    end::numeric(12, 4) as bill_rate_effective,
    coalesce(summaries.bill_overtime_hours, totals.bill_overtime_hours)::numeric(10, 4) as bill_overtime_hours,
    coalesce(summaries.bill_overtime_impact, totals.bill_overtime_impact)::numeric(14, 2) as bill_overtime_impact,
    coalesce(summaries.bill_holiday_hours, totals.bill_holiday_hours)::numeric(10, 4) as bill_holiday_hours,
    coalesce(summaries.bill_holiday_impact, totals.bill_holiday_impact)::numeric(14, 2) as bill_holiday_impact,
    coalesce(summaries.bill_premium_impact, 0)::numeric(14, 2) as bill_premium_impact,
    coalesce(summaries.bill_discount_impact, totals.bill_discount_impact)::numeric(14, 2) as bill_discount_impact,
    billed.total::numeric(14, 2) as bill_total,
    totals.bill_total::numeric(14, 2) as computed_bill_total,
    coalesce(summaries.pay_base_rate, totals.pay_rate)::numeric(12, 4) as pay_rate_regular,
    coalesce(summaries.pay_overtime_hours, totals.pay_overtime_hours)::numeric(10, 4) as pay_overtime_hours,
    coalesce(summaries.pay_overtime_impact, totals.pay_overtime_impact)::numeric(14, 2) as pay_overtime_impact,
    coalesce(summaries.pay_holiday_impact, totals.pay_holiday_impact)::numeric(14, 2) as pay_holiday_impact,
    coalesce(summaries.pay_premium_impact, 0)::numeric(14, 2) as pay_premium_impact,
    coalesce(summaries.pay_total, totals.pay_total)::numeric(14, 2) as pay_total,
    documents.raw_data
from totals
-- `limit 1` tells PostgreSQL that periods do not overlap, and has it look for each date once.
inner join lateral (
    select periods.*
    from periods
    where totals.shift_date between periods.period_start and periods.period_end
    limit 1
) as period on true
inner join documents on totals.shift_id = documents.shift_id
-- The service's own sum is the truth, unless it was made of other hours than the shift has now.
left join summaries
    on totals.shift_id = summaries.shift_id
    and totals.billable_hours = summaries.bill_hours
    and totals.is_counted
    and summaries.bill_total is not null
    and summaries.period_date + 6 between totals.week_ending - {{ var('document_reach_days') }}
    and totals.week_ending + {{ var('document_reach_days') }}
inner join lateral (
    select coalesce(summaries.bill_total, totals.bill_total) as total
) as billed on true
