-- One row per patient and kind of visit that they are called back for.

with

recalls as (
    select * from {{ source('open_dental', 'recall') }}
)

select
    recallnum as recall_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('recalltypenum') }} as recall_type_num,
    {{ non_zero_date('datedue') }} as due_date,
    {{ non_zero_date('dateduecalc') }} as calculated_due_date,
    {{ non_zero_date('dateprevious') }} as previous_date,
    {{ non_zero_date('datescheduled') }} as scheduled_date,
    {{ interval_part('recallinterval', 'years') }} as interval_years,
    {{ interval_part('recallinterval', 'months') }} as interval_months,
    {{ interval_part('recallinterval', 'weeks') }} as interval_weeks,
    {{ interval_part('recallinterval', 'days') }} as interval_days,
    {{ packed_interval('recallinterval') }} as recall_interval,
    {{ foreign_key('recallstatus') }} as recall_status_num,
    {{ flag('isdisabled') }} as is_disabled,
    {{ non_zero_date('disableuntildate') }} as disabled_until_date,
    nullif({{ money('disableuntilbalance') }}, 0) as disabled_until_balance,
    priority as priority_code,
    {{ enum_name('RecallPriority', 'priority') }} as priority,
    datetstamp as changed_at
from recalls
