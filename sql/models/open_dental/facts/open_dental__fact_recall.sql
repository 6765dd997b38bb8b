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

judged as (
    select
        recalls.*,
        people.patient_status,
        recalls.is_disabled
        or coalesce(recalls.disabled_until_date > {{ as_of() }}, false)
        or coalesce(families.balance_total >= recalls.disabled_until_balance, false) as is_disabled_now
    from recalls
    left join people on recalls.patient_num = people.patient_num
    left join people as families on people.guarantor_num = families.patient_num
)

select
    judged.recall_num,
    coalesce(patients.surrogate_key, -1) as patient_key,
    judged.patient_num,
    judged.recall_type_num,
    types.name as recall_type,
    definitions.item_name as recall_status,
    judged.priority,
    judged.due_date,
    judged.calculated_due_date,
    judged.previous_date,
    judged.scheduled_date,
    judged.interval_years,
    judged.interval_months,
    judged.interval_weeks,
    judged.interval_days,
    judged.recall_interval,
    judged.is_disabled,
    judged.disabled_until_date,
    judged.disabled_until_balance,
    judged.is_disabled_now,
    standing.recall_state,
    case when standing.recall_state = 'overdue' then {{ as_of() }} - judged.due_date end as overdue_days
from judged
inner join lateral (
    select
        case
            when judged.is_disabled_now then 'disabled'
            when coalesce(judged.patient_status <> 'Patient', true) then 'inactive'
            when judged.due_date is null then 'undated'
            when judged.scheduled_date >= {{ as_of() }} then 'scheduled'
            when judged.due_date < {{ as_of() }} then 'overdue'
            else 'due'
        end as recall_state
) as standing on true
left join types on judged.recall_type_num = types.recall_type_num
left join definitions on judged.recall_status_num = definitions.definition_num
left join patients on judged.patient_num = patients.patient_num
