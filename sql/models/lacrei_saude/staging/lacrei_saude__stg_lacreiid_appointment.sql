-- One row per appointment; one that was moved to another time is the same row.

{{ config(alias='lacreiid_appointment', unique_key='appointment_id') }}

with

appointments as (
    {{
        staged(
            'lacreiid_appointment',
            ['id', 'user_id', 'professional_id', 'date', 'status', 'type', 'rescheduled', 'created_at', 'updated_at'],
            key='id',
        ) | indent(4)
    }}
)

select
    id::text as appointment_id,
    user_id::text as user_id,
    professional_id::text as professional_id,
    {{ finite('date') }} as appointment_date,
    lower({{ cleaned('status::text') }}) as status,
    lower({{ cleaned('type::text') }}) as type,
    {{ truth('rescheduled') }} as rescheduled,
    {{ finite('created_at') }} as created_at,
    {{ finite('updated_at') }} as updated_at
from appointments
