-- One row per procedure, planned, done or deleted; the source removes none.

with

procedures as (
    select * from {{ source('open_dental', 'procedurelog') }}
)

select
    procnum as procedure_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ reference_to('provnum') }} as provider_num,
    {{ reference_to('codenum') }} as code_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ reference_to('aptnum') }} as appointment_num,
    {{ reference_to('plannedaptnum') }} as planned_appointment_num,
    procstatus as procedure_status_code,
    {{ decoded('ProcStat', 'procstatus') }} as procedure_status,
    {{ real_date('procdate') }} as procedure_date,
    {{ real_date('datetp') }} as planned_date,
    {{ real_date('datecomplete') }} as completed_date,
    {{ real_date('dateentryc') }} as entered_date,
    {{ money('procfee') }} as fee,
    {{ quantity_of('unitqty', 'baseunits') }} as quantity,
    ({{ money('procfee') }} * {{ quantity_of('unitqty', 'baseunits') }})::numeric(14, 2) as gross_fee,
    {{ money('discount') }} as discount,
    {{ money('discountplanamt') }} as discount_plan_amount,
    {{ money('taxamt') }} as tax,
    {{ cleaned('toothnum') }} as tooth,
    {{ cleaned('toothrange') }} as tooth_range,
    {{ cleaned('surf') }} as surface,
    {{ reference_to('priority') }} as priority_num,
    {{ reference_to('dx') }} as diagnosis_num,
    {{ reference_to('procnumlab') }} as lab_of_procedure_num,
    {{ flag('islocked') }} as is_locked,
    datetstamp as changed_at
from procedures
