-- One row per shift, cancelled and vacant ones too, with its hours and what is billed and paid for it. Employee,
-- position, client and region are those in force when it began; -1 where there is none or nobody knows.
-- A shift whose date lies in no billing period is left out.

{{
    config(
        materialized='list_partitioned',
        partition_by='billing_period_id',
        unique_key=['billing_period_id', 'shift_id'],
        partition_move_key='shift_id',
        window_column='week_ending',
        input_reach={
            'tracktik__stg_work_sessions': var('document_reach_days'),
            'tracktik__stg_shift_summaries': var('document_reach_days') | int + 6,
        },
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

-- The document goes along as it came: whoever doubts a number of a shift sees here what the service said of it, and the
-- service says more than we have columns for. It is joined by itself, so that no sort on the way has to carry it.
documents as (
    select
        shift_id,
        raw_data
    from {{ ref('tracktik__stg_shifts') }}
    where {{ in_overtime_window('shift_date') }}
),

summaries as (
    select * from {{ ref('tracktik__stg_shift_summaries') }}
    where {{ in_window('period_date', var('document_reach_days'), var('document_reach_days'), overtime_window()) }}
),

periods as (
    select * from {{ ref('tracktik__stg_billing_periods') }}
),

-- What we compute ourselves, each component rounded to cents by itself; null where it is not known, the total with it.
-- A shift without an employee has no overtime.
computed as (
    select
        hours.*,
        case when hours.billable_hours = 0 then 0 else round(hours.bill_rate * hours.billable_hours, 2) end
            as bill_base,
        case when bill.shift_id is null then 0 else bill.overtime_hours end as bill_overtime_hours,
        case when bill.shift_id is null then 0 else bill.overtime_impact end as bill_overtime_impact,
        {{ holiday_impact('hours', 'bill') }} as bill_holiday_impact,
        coalesce(
            round(hours.bill_rate * hours.billable_hours * hours.discount_rate / 100, 2), 0
        ) as bill_discount_impact,
        case when hours.payable_hours = 0 then 0 else round(hours.pay_rate * hours.payable_hours, 2) end as pay_base,
        case when pay.shift_id is null then 0 else pay.overtime_hours end as pay_overtime_hours,
        case when pay.shift_id is null then 0 else pay.overtime_impact end as pay_overtime_impact,
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
),

-- What counts, picked once: the service's own sum is the truth, unless it was made of other hours than the shift has
-- now; then, or where there is none, what we compute.
billed as (
    select
        totals.shift_id,
        case
            when not totals.is_counted then 'none'
            when summaries.shift_id is not null then 'summary'
            when not totals.is_approved then 'none'
            when totals.bill_total is null then 'incomplete'
            else 'computed'
        end as bill_basis,
        case
            when not totals.is_counted then 'none'
            when summaries.pay_total is not null then 'summary'
            when not totals.is_approved then 'none'
            when totals.pay_total is null then 'incomplete'
            else 'computed'
        end as pay_basis,
        coalesce(summaries.bill_base_rate, totals.bill_rate)::numeric(12, 4) as bill_rate_regular,
        coalesce(summaries.bill_overtime_hours, totals.bill_overtime_hours)::numeric(10, 4) as bill_overtime_hours,
        coalesce(summaries.bill_overtime_impact, totals.bill_overtime_impact)::numeric(14, 2) as bill_overtime_impact,
        coalesce(summaries.bill_holiday_hours, totals.bill_holiday_hours)::numeric(10, 4) as bill_holiday_hours,
        coalesce(summaries.bill_holiday_impact, totals.bill_holiday_impact)::numeric(14, 2) as bill_holiday_impact,
        coalesce(summaries.bill_premium_impact, 0)::numeric(14, 2) as bill_premium_impact,
        coalesce(summaries.bill_discount_impact, totals.bill_discount_impact)::numeric(14, 2) as bill_discount_impact,
        coalesce(summaries.bill_total, totals.bill_total)::numeric(14, 2) as bill_total,
        totals.bill_total::numeric(14, 2) as computed_bill_total,
        coalesce(summaries.pay_base_rate, totals.pay_rate)::numeric(12, 4) as pay_rate_regular,
        coalesce(summaries.pay_overtime_hours, totals.pay_overtime_hours)::numeric(10, 4) as pay_overtime_hours,
        coalesce(summaries.pay_overtime_impact, totals.pay_overtime_impact)::numeric(14, 2) as pay_overtime_impact,
        coalesce(summaries.pay_holiday_impact, totals.pay_holiday_impact)::numeric(14, 2) as pay_holiday_impact,
        coalesce(summaries.pay_premium_impact, 0)::numeric(14, 2) as pay_premium_impact,
        coalesce(summaries.pay_total, totals.pay_total)::numeric(14, 2) as pay_total
    from totals
    left join summaries
        on totals.shift_id = summaries.shift_id
        and totals.billable_hours = summaries.bill_hours
        and totals.is_counted
        and summaries.bill_total is not null
        and summaries.period_date + 6 between totals.week_ending - {{ var('document_reach_days') }}
        and totals.week_ending + {{ var('document_reach_days') }}
)

select
    period.billing_period_id,
    hours.shift_id,
    coalesce(hours.employee_id, -1) as employee_id,
    coalesce(hours.position_id, -1) as position_id,
    coalesce(hours.client_id, -1) as client_id,
    hours.employee_key,
    hours.position_key,
    hours.client_key,
    hours.region_key,
    hours.shift_date,
    hours.week_ending,
    period.period_start,
    period.period_end,
    hours.started_at as start_datetime,
    hours.ended_at as end_datetime,
    hours.time_zone,
    hours.status,
    hours.attendance_status,
    hours.is_vacant,
    hours.paid_time_off,
    hours.is_standby,
    hours.is_billable,
    hours.is_approved,
    case when hours.is_approved then hours.updated_by end as approved_by,
    case when hours.is_approved then hours.modified_at end as approved_at,
    hours.scheduled_hours::numeric(10, 4) as scheduled_hours,
    hours.clocked_hours::numeric(10, 4) as clocked_hours,
    hours.approved_hours::numeric(10, 4) as approved_hours,
    hours.billable_hours::numeric(10, 4) as billable_hours,
    hours.payable_hours::numeric(10, 4) as payable_hours,
    hours.bill_overtime_rule_id,
    hours.pay_overtime_rule_id,
    billed.bill_basis,
    billed.bill_rate_regular,
    -- A quotient that fits no column is of hours that are next to none.
    case
        when abs(billed.bill_total) < 100000000 * hours.billable_hours
            then round(billed.bill_total / nullif(hours.billable_hours, 0), 4)
    end::numeric(12, 4) as bill_rate_effective,
    billed.bill_overtime_hours,
    billed.bill_overtime_impact,
    billed.bill_holiday_hours,
    billed.bill_holiday_impact,
    billed.bill_premium_impact,
    billed.bill_discount_impact,
    billed.bill_total,
    billed.computed_bill_total,
    billed.pay_basis,
    billed.pay_rate_regular,
    billed.pay_overtime_hours,
    billed.pay_overtime_impact,
    billed.pay_holiday_impact,
    billed.pay_premium_impact,
    billed.pay_total,
    documents.raw_data
from hours
inner join billed on hours.shift_id = billed.shift_id
-- `limit 1` tells PostgreSQL that periods do not overlap, and has it look for each date once.
inner join lateral (
    select periods.*
    from periods
    where hours.shift_date between periods.period_start and periods.period_end
    limit 1
) as period on true
inner join documents on hours.shift_id = documents.shift_id
