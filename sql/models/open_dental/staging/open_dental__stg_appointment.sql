-- One row per appointment that the source still has, planned ones and notes too.

with

appointments as (
    select * from {{ source('open_dental', 'appointment') }}
)

select
    {{ appointment_columns() }},
    datetstamp as changed_at
from appointments
