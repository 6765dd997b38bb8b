-- One row per claim, preauthorisations too.

with

claims as (
    select * from {{ source('open_dental', 'claim') }}
)

select
    claimnum as claim_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('plannum') }} as plan_num,
    {{ foreign_key('inssubnum') }} as subscription_num,
    {{ foreign_key('provtreat') }} as treating_provider_num,
    {{ foreign_key('provbill') }} as billing_provider_num,
    coalesce(clinicnum, 0) as clinic_num,
    coalesce(
        {{ non_zero_date('dateservice') }}, {{ non_zero_date('datesent') }}, {{ non_zero_date('secdateentry') }},
        {{ non_zero_date('datereceived') }}, date '1900-01-01'
    ) as claim_date,
    {{ non_zero_date('dateservice') }} as service_date,
    coalesce({{ non_zero_date('datesentorig') }}, {{ non_zero_date('datesent') }}) as first_sent_date,
    {{ non_zero_date('datesent') }} as sent_date,
    {{ non_zero_date('datereceived') }} as received_date,
    {{ non_zero_date('secdateentry') }} as entered_date,
    upper({{ cleaned('claimstatus') }}) as claim_status_code,
    case upper(claimstatus)
        when 'U' then 'Unsent'
        when 'H' then 'HoldForPrimary'
        when 'W' then 'WaitingToSend'
        when 'P' then 'ProbablySent'
        when 'S' then 'Sent'
        when 'R' then 'Received'
        when 'I' then 'HoldForInProcess'
        else {{ cleaned('claimstatus') }}
    end as claim_status,
    {{ cleaned('claimtype') }} as claim_type,
    coalesce(lower({{ cleaned('claimtype') }}) = 'preauth', false) as is_preauthorization,
    {{ flag('isortho') }} as is_orthodontic,
    {{ money('claimfee') }} as claim_fee,
    {{ money('inspayest') }} as insurance_estimate,
    {{ money('inspayamt') }} as insurance_paid,
    {{ money('dedapplied') }} as deductible_applied,
    {{ money('writeoff') }} as write_off
from claims
