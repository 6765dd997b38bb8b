-- One row per report, the rating that one of the two gave to an appointment; an appointment may have several.
-- The key of its author is that of an account or of a professional, as the content type says, and of neither where it
-- says something else.

{{ config(alias='lacreiid_report', unique_key='report_id') }}

with

reports as (
    {{
        staged(
            'lacreiid_report',
            [
                'id', 'appointment_id', 'eval', 'created_by_content_type_id', 'created_by_object_id', 'created_at',
                'updated_at',
            ],
            key='id',
        ) | indent(4)
    }}
),

content_types as (
    {{ staged('django_content_type', ['id', 'model'], key='id') | indent(4) }}
),

authored as (
    select
        reports.*,
        case content_types.model::text when 'user' then 'patient' when 'professional' then 'professional' end as author
    from reports
    left join content_types on reports.created_by_content_type_id::text = content_types.id::text
)

select
    id::text as report_id,
    appointment_id::text as appointment_id,
    case when eval::text ~ '^\s*[1-5]\s*$' then eval::text::integer end as evaluation,
    author as created_by,
    case author when 'patient' then created_by_object_id::text end as created_by_user_id,
    case author when 'professional' then created_by_object_id::text end as created_by_professional_id,
    {{ finite('created_at') }} as created_at,
    {{ finite('updated_at') }} as updated_at
from authored
