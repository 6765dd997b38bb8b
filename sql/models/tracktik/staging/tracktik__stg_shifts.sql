-- One row per shift, those that the source deleted left out.

{{ config(tags=['periodic']) }}

with

documents as (
    select * from {{ source('tracktik_staging', 'shifts') }}
    where {{ is_not_deleted() }} and {{ integer_id() }} is not null
)

select
    documents.id::integer as shift_id,
    {{ json_field('customId') }} as custom_id,
    upper({{ json_field('status') }}) as status,
    upper({{ json_field('attendanceStatus') }}) as attendance_status,
    documents.slice as shift_date,
    {{ week_ending('documents.slice') }} as week_ending,
    span.started_at,
    span.ended_at,
    {{ json_field('timeZone') }} as time_zone,
    {{ json_relation('employee') }} as employee_id,
    {{ json_relation('position') }} as position_id,
    coalesce({{ json_field('billable', 'boolean') }}, true) as is_billable,
    coalesce({{ json_field('payable', 'boolean') }}, true) as is_payable,
    coalesce({{ json_field('paidTimeOff', 'boolean') }}, false) as paid_time_off,
    {{ json_field('breakInMinutes', 'numeric(8, 4)') }} as break_minutes,
    {{ hours_between('span.started_at', 'span.ended_at') }} as elapsed_hours,
    {{ json_field('plannedDurationHours', 'numeric(8, 4)') }} as planned_hours,
    {{ json_field('clockedHours', 'numeric(8, 4)') }} as clocked_hours,
    {{ json_field('approvedHours', 'numeric(8, 4)') }} as approved_hours,
    {{ json_field('billableHours', 'numeric(8, 4)') }} as billable_hours,
    {{ json_field('payableHours', 'numeric(8, 4)') }} as payable_hours,
    {{ json_field('holidayHours', 'numeric(8, 4)') }} as holiday_hours,
    {{ json_field('billRate', 'numeric(9, 4)') }} as bill_rate,
    {{ json_field('payRate', 'numeric(9, 4)') }} as pay_rate,
    {{ json_relation('updatedBy') }} as updated_by,
    {{ json_field('modifiedOn', 'timestamptz') }} as modified_at,
    documents.raw_data
from documents
-- `limit 1` has the moments worked out once a row; without it PostgreSQL would do so at every mention.
inner join lateral (
    select
        coalesce(
            {{ json_field('startDateTime', 'timestamptz') }},
            to_timestamp({{ json_field('startsOn', 'numeric(11, 0)') }})
        ) as started_at,
        coalesce(
            {{ json_field('endDateTime', 'timestamptz') }},
            to_timestamp({{ json_field('endsOn', 'numeric(11, 0)') }})
        ) as ended_at
    limit 1
) as span on true
