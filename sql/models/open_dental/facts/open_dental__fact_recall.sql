-- One row per patient and kind of visit that they are called back for. What is overdue is so as of the var as_of, or
-- today; of those whom nobody is to call back nothing is.

{{ config(unique_key='recall_num') }}

with

recalls as (
    select * from {{ ref('open_dental__stg_recall') }}
),

types as (
    select * from {{ ref('open_dental__stg_recalltype') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
),

people as (
    select * from {{ ref('open_dental__stg_patient') }}
),

patients as (
    select * from {{ ref('open_dental__dim_patient') }}
    where is_current
),

resolved as (
    select
        recalls.*,
        people.patient_status,
        recalls.is_disabled
        or coalesce(recalls.disabled_until_date > {{ as_of_date() }}, false)
        or coalesce(families.balance_total >= recalls.disabled_until_balance, false) as is_disabled_now
    from recalls
    left join people on recalls.patient_num = people.patient_num
    left join people as families on people.guarantor_num = families.patient_num
)

select
    resolved.recall_num,
    {{ dimension_key('patients') }} as patient_key,
    resolved.patient_num,
    resolved.recall_type_num,
    types.name as recall_type,
    definitions.item_name as recall_status,
    resolved.priority,
    resolved.due_date,
    resolved.calculated_due_date,
    resolved.previous_date,
    resolved.scheduled_date,
    resolved.interval_years,
    resolved.interval_months,
    resolved.interval_weeks,
    resolved.interval_days,
    resolved.recall_interval,
    resolved.is_disabled,
    resolved.disabled_until_date,
    resolved.disabled_until_balance,
    resolved.is_disabled_now,
    state.recall_state,
    case when state.recall_state = 'overdue' then {{ as_of_date() }} - resolved.due_date end as overdue_days
from resolved
inner join lateral (
    select
        case
            when resolved.is_disabled_now then 'disabled'
            when coalesce(resolved.patient_status <> 'Patient', true) then 'inactive'
            when resolved.due_date is null then 'undated'
            when resolved.scheduled_date >= {{ as_of_date() }} then 'scheduled'
            when resolved.due_date < {{ as_of_date() }} then 'overdue'
            else 'due'
        end as recall_state
) as state on true
left join types on resolved.recall_type_num = types.recall_type_num
left join definitions on resolved.recall_status_num = definitions.definition_num
left join patients on resolved.patient_num = patients.patient_num
