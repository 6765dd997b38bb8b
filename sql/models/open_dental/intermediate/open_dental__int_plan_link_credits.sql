-- One row per procedure or adjustment that a dynamic payment plan took over: what that takes off the patient's account,
-- which is what was still to be paid of it, unless the plan names another amount.

{{ config(materialized='view') }}

with

links as (
    select * from {{ ref('open_dental__stg_payplanlink') }}
),

plans as (
    select * from {{ ref('open_dental__stg_payplan') }}
),

procedures as (
    select * from {{ ref('open_dental__stg_procedurelog') }}
    where procedure_num in (select links.procedure_num from links)
),

adjustments as (
    select * from {{ ref('open_dental__stg_adjustment') }}
),

claim_procedures as (
    select * from {{ ref('open_dental__stg_claimproc') }}
    where procedure_num in (select links.procedure_num from links)
),

splits as (
    select * from {{ ref('open_dental__stg_paysplit') }}
    where payment_plan_num is null
),

-- Adjustments of the procedure that are somebody else's are not the plan's.
adjusted as (
    select
        procedure_num,
        patient_num,
        provider_num,
        clinic_num,
        sum(amount) as amount
    from adjustments
    where procedure_num is not null
    group by procedure_num, patient_num, provider_num, clinic_num
),

insured as (
    select
        procedure_num,
        sum(
            case
                when status_code in (1, 4, 7) then insurance_paid + write_off
                else coalesce(estimate_override, insurance_estimate) + coalesce(write_off_estimate, 0)
            end
        ) as amount
    from claim_procedures
    where status_code <> 2
    group by procedure_num
),

paid as (
    select
        procedure_num,
        sum(amount) as amount
    from splits
    where procedure_num is not null
    group by procedure_num
),

adjustment_paid as (
    select
        adjustment_num,
        sum(amount) as amount
    from splits
    where adjustment_num is not null
    group by adjustment_num
),

taken_over as (
    select
        links.payment_plan_link_num,
        links.linked_date,
        links.amount_override,
        procedures.patient_num,
        procedures.provider_num,
        procedures.clinic_num,
        procedures.procedure_num,
        procedures.gross_fee + coalesce(adjusted.amount, 0) - coalesce(insured.amount, 0)
        - coalesce(paid.amount, 0) as open_amount
    from links
    inner join plans on links.payment_plan_num = plans.payment_plan_num
    inner join procedures on links.procedure_num = procedures.procedure_num
    left join adjusted
        on procedures.procedure_num = adjusted.procedure_num
        and procedures.patient_num = adjusted.patient_num
        and procedures.provider_num is not distinct from adjusted.provider_num
        and procedures.clinic_num = adjusted.clinic_num
    left join insured on procedures.procedure_num = insured.procedure_num
    left join paid on procedures.procedure_num = paid.procedure_num
    -- What is only planned is taken over when it is done, where the plan says that it waits for that.
    where plans.treatment_planned_option_code is distinct from 1 or procedures.procedure_status_code = 2
    union all
    select
        links.payment_plan_link_num,
        links.linked_date,
        links.amount_override,
        adjustments.patient_num,
        adjustments.provider_num,
        adjustments.clinic_num,
        null,
        adjustments.amount - coalesce(adjustment_paid.amount, 0)
    from links
    inner join adjustments on links.adjustment_num = adjustments.adjustment_num
    left join adjustment_paid on adjustments.adjustment_num = adjustment_paid.adjustment_num
)

select
    payment_plan_link_num,
    linked_date,
    patient_num,
    provider_num,
    clinic_num,
    procedure_num,
    coalesce(amount_override, open_amount)::numeric(14, 2) as amount
from taken_over
