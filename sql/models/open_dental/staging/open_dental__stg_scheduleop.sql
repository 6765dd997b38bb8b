-- One row per entry of the schedule and operatory that it is for.

with

links as (
    select * from {{ source('open_dental', 'scheduleop') }}
)

select
    scheduleopnum as schedule_operatory_num,
    schedulenum as schedule_num,
    operatorynum as operatory_num
from links
