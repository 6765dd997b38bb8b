{#- What the records of Clinical Conductor mean, said once. Its views have each record as `raw_data`.

    A date is the day that the instance writes, whatever offset stands behind it: due dates, births and the dates of
    events are days, and no zone may move them. A moment is read with its offset; one without is on the wall clock of
    the var trialsync_time_zone. -#}

{#- A field that is a moment; null where it is none. -#}
{%- macro json_moment(path) -%}
    coalesce(
        {{ json_field(path, 'timestamptz') }},
        {{ json_field(path, 'timestamp') }} at time zone '{{ var('trialsync_time_zone') }}'
    )
{%- endmacro -%}

{#- A field that is an object or an array, as it stands; null where it is something else. -#}
{%- macro json_part(path, kind) -%}
    case when jsonb_typeof(raw_data -> '{{ path }}') = '{{ kind }}' then raw_data -> '{{ path }}' end
{%- endmacro -%}

{#- How many there are in a field that is an array; 0 where it is none. -#}
{%- macro number_of(path) -%}
    jsonb_array_length(coalesce({{ json_part(path, 'array') }}, '[]'))
{%- endmacro -%}

{#- A condition: the record's list still gives it. Written so for the planner, as `is_not_deleted` is. -#}
{%- macro is_in_its_list() -%}
    case when vanished_at is null then source_instance_id end is not null
{%- endmacro -%}

{#- The study's principal investigator, as one of the staff. There is no such field: it is one of the leaders. -#}
{%- macro principal_investigator() -%}
    (
        jsonb_path_query_first(
            raw_data, '$.leadership[*] ? (@.name like_regex "^principal investigator" flag "i")'
        ) -> 'staff'
    )
{%- endmacro -%}

{#- How many subjects a study is to enrol. There is no such field either: an organisation keeps it in a custom one. -#}
{%- macro enrollment_target() -%}
    {{ json_field('value', 'integer', "jsonb_path_query_first(raw_data, '$.customFields[*] ? (@.name == $name)',"
        ~ " jsonb_build_object('name', '" ~ var('trialsync_enrollment_target_field') ~ "'))") }}
{%- endmacro -%}

{#- The day of the first appointment of a subject's visit that took place. -#}
{%- macro first_held_date() -%}
    (
        select min({{ json_field('scheduledStart', 'date', 'appointment.document') }})
        from
            jsonb_path_query(
                raw_data, '$.appointments[*] ? (@.status == "Completed" || @.status == "Started")'
            ) as appointment (document)
    )
{%- endmacro -%}

{#- A time zone's name, where it is one that PostgreSQL knows; null where it is not. -#}
{%- macro known_time_zone(column) -%}
    case
        when
            {{ column }} ~ '^(UTC|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$'
            and pg_input_is_valid('2000-01-01 00:00 ' || {{ column }}, 'timestamptz')
            then {{ column }}
    end
{%- endmacro -%}

{#- The versions of the records of a typed view, as scd2 takes them: one from when each was loaded as it stands, and one
    more from when its list was found without it (`is_deleted`).

    A record that is not in staging at all is not spoken of, so that its history stays as it is: staging keeps what was
    deleted, and what it lacks was taken from it by hand. The next load brings it back, and nothing has changed. -#}
{%- macro record_versions(relation) -%}
select
    records.*,
    version.is_deleted,
    version.effective_at
from {{ relation }} as records
cross join lateral (
    select
        false as is_deleted,
        records.loaded_at as effective_at
    union all
    select
        true,
        greatest(records.vanished_at, records.loaded_at + interval '1 microsecond')
    where records.vanished_at is not null
) as version
{%- endmacro -%}

{#- How far a subject has come with a status: of two that are of one moment, the further one is the later. -#}
{%- macro subject_status_rank(status) -%}
    array_position(
        array[
            'Prescreened', 'Screened', 'RunIn', 'Randomized', 'FollowUp',
            'NonQualified', 'ScreenFailed', 'RunInFailed', 'Dropped', 'Completed'
        ],
        {{ status }}
    )
{%- endmacro -%}

{#- A condition: nothing more is to come of a subject with that status. -#}
{%- macro is_final_status(status) -%}
    {{ status }} in ('NonQualified', 'ScreenFailed', 'RunInFailed', 'Dropped', 'Completed')
{%- endmacro -%}

{#- What kind of thing an element is, by its name, for the service does not say: the first of these that its words fit. -#}
{%- macro element_category(name) -%}
    case
        when {{ name }} ~* '\m(informed )?(re-?)?consent' then 'consent'
        when {{ name }} ~* '\m(vitals?|blood pressure|bp|pulse|heart rate|temperature|weight|height|bmi)\M' then 'vital'
        when {{ name }} ~* '\m(labs?|blood|urine|urinalysis|hematology|chemistry|serum|plasma|pk|biomarkers?|swab|pregnancy test|hba1c|lipids?)\M'
            then 'lab'
        when {{ name }} ~* '\m(questionnaires?|assessments?|scales?|survey|diary|interview|score|index|history|inventory)\M'
            then 'assessment'
        when {{ name }} ~* '\m(ecg|ekg|mri|ct|x-?ray|pet|ultrasound|scan|biopsy|exam|examination|injection|infusion|dosing|procedure|spirometry|dexa)\M'
            then 'procedure'
        else 'other'
    end
{%- endmacro -%}

{#- What happened to subjects by month, as a query: of rows of fact_enrollment, how many reached each milestone in a month,
    by the columns `keys`. -#}
{%- macro milestones_by_month(enrollments, keys) -%}
select
    {%- for key in keys %}
    {{ enrollments }}.{{ key }},
    {%- endfor %}
    date_trunc('month', milestone.reached_on)::date as month_start,
    count(*) filter (where milestone.name = 'screened') as screened,
    count(*) filter (where milestone.name = 'screen failed') as screen_failed,
    count(*) filter (where milestone.name = 'enrolled') as enrolled,
    count(*) filter (where milestone.name = 'randomized') as randomized,
    count(*) filter (where milestone.name = 'completed') as completed,
    count(*) filter (where milestone.name = 'dropped') as dropped
from {{ enrollments }}
cross join lateral (
    values
    ('screened', {{ enrollments }}.screened_date),
    ('screen failed', {{ enrollments }}.screen_failed_date),
    ('enrolled', {{ enrollments }}.enrollment_date),
    ('randomized', {{ enrollments }}.randomized_date),
    ('completed', {{ enrollments }}.completed_date),
    ('dropped', {{ enrollments }}.dropped_date)
) as milestone (name, reached_on)
where milestone.reached_on is not null
group by {{ range(1, keys | length + 2) | join(', ') }}
{%- endmacro -%}
