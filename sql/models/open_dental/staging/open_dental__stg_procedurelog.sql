-- One row per procedure, planned, done or deleted; the source removes none.

with

procedures as (
    select * from {{ source('open_dental', 'procedurelog') }}
)

select
    procnum as procedure_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('provnum') }} as provider_num,
    {{ foreign_key('codenum') }} as code_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('aptnum') }} as appointment_num,
    {{ foreign_key('plannedaptnum') }} as planned_appointment_num,
    procstatus as procedure_status_code,
    {{ enum_name('ProcStat', 'procstatus') }} as procedure_status,
    {{ non_zero_date('procdate') }} as procedure_date,
    {{ non_zero_date('datetp') }} as planned_date,
    {{ non_zero_date('datecomplete') }} as completed_date,
    {{ non_zero_date('dateentryc') }} as entered_date,
    {{ money('procfee') }} as fee,
    {{ procedure_quantity('unitqty', 'baseunits') }} as quantity,
    ({{ money('procfee') }} * {{ procedure_quantity('unitqty', 'baseunits') }})::numeric(14, 2) as gross_fee,
    {{ money('discount') }} as discount,
    {{ money('discountplanamt') }} as discount_plan_amount,
    {{ money('taxamt') }} as tax,
    {{ cleaned('toothnum') }} as tooth,
    {{ cleaned('toothrange') }} as tooth_range,
    {{ cleaned('surf') }} as surface,
    {{ foreign_key('priority') }} as priority_num,
    {{ foreign_key('dx') }} as diagnosis_num,
    {{ foreign_key('procnumlab') }} as lab_of_procedure_num,
    {{ flag('islocked') }} as is_locked,
    datetstamp as changed_at
from procedures
