-- Sums of a billing period that a mart has otherwise than the fact it was made of.

{{ config(meta={'dagster': {'ref': {'name': 'tracktik__mart_billing_summary'}}}) }}

with

facts as (
    select
        billing_period_id,
        count(*) filter (where status = 'ACTIVE') as shifts,
        count(*) filter (where status = 'ACTIVE' and not is_vacant) as manned_shifts,
        count(*) filter (where status = 'ACTIVE' and is_vacant) as vacant_shifts,
        sum(clocked_hours) as clocked_hours,
        sum(approved_hours) as approved_hours,
        sum(billable_hours) as billable_hours,
        sum(payable_hours) as payable_hours,
        {{ sum_if_known('bill_overtime_hours') }} as bill_overtime_hours,
        {{ sum_if_known('pay_overtime_hours') }} as pay_overtime_hours,
        {{ sum_if_known('bill_total') }} as bill_total
    from {{ ref('tracktik__fact_shifts') }}
    group by billing_period_id
),

billed as (
    select
        billing_period_id,
        sum(shifts) as shifts,
        sum(billable_hours) as billable_hours,
        {{ sum_if_known('bill_overtime_hours') }} as bill_overtime_hours,
        {{ sum_if_known('bill_total') }} as bill_total
    from {{ ref('tracktik__mart_billing_summary') }}
    group by billing_period_id
),

worked as (
    select
        billing_period_id,
        sum(shifts) as shifts,
        sum(clocked_hours) as clocked_hours,
        sum(approved_hours) as approved_hours
    from {{ ref('tracktik__mart_hours') }}
    group by billing_period_id
),

overtime as (
    select
        billing_period_id,
        sum(payable_hours) as payable_hours,
        sum(billable_hours) as billable_hours,
        {{ sum_if_known('pay_overtime_hours') }} as pay_overtime_hours,
        {{ sum_if_known('bill_overtime_hours') }} as bill_overtime_hours
    from {{ ref('tracktik__mart_overtime') }}
    group by billing_period_id
),

unfilled as (
    select
        billing_period_id,
        count(*) as shifts
    from {{ ref('tracktik__mart_unfilled_shifts') }}
    group by billing_period_id
),

compared as (
    select
        billing_period_id,
        sums.what,
        coalesce(sums.of_fact, 0) as of_fact,
        coalesce(sums.of_mart, 0) as of_mart
    from facts
    full join billed using (billing_period_id)
    full join worked using (billing_period_id)
    full join overtime using (billing_period_id)
    full join unfilled using (billing_period_id)
    cross join lateral (
        values
        ('shifts billed', facts.shifts, billed.shifts),
        ('hours billed', facts.billable_hours, billed.billable_hours),
        ('overtime billed', facts.bill_overtime_hours, billed.bill_overtime_hours),
        ('money billed', facts.bill_total, billed.bill_total),
        ('shifts manned', facts.manned_shifts, worked.shifts),
        ('hours clocked', facts.clocked_hours, worked.clocked_hours),
        ('hours approved', facts.approved_hours, worked.approved_hours),
        ('hours paid, by week', facts.payable_hours, overtime.payable_hours),
        ('hours billed, by week', facts.billable_hours, overtime.billable_hours),
        ('overtime paid, by week', facts.pay_overtime_hours, overtime.pay_overtime_hours),
        ('overtime billed, by week', facts.bill_overtime_hours, overtime.bill_overtime_hours),
        ('vacant shifts', facts.vacant_shifts, unfilled.shifts)
    ) as sums (what, of_fact, of_mart)
)

select * from compared
where of_fact <> of_mart
