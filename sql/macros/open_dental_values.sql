{#- What the columns of Open Dental mean, said once. Its tables allow no nulls: 0001-01-01 is no date, 0 no reference,
    an empty text nothing, and -1 in some columns of money a blank. -#}

{#- A date, or the date of a moment; null where there is none. Only 0001-01-01 says so: 1900-01-01 is a day on which
    people were born. -#}
{%- macro non_zero_date(column) -%}
    nullif({{ column }}::date, date '0001-01-01')
{%- endmacro -%}

{#- A moment on the practice's wall clock; null where there is none. -#}
{%- macro non_zero_timestamp(column) -%}
    case when {{ column }} >= timestamp '0001-01-02' then {{ column }} end
{%- endmacro -%}

{#- A moment of which only the time is asked for: at midnight it has not come. -#}
{%- macro non_midnight_timestamp(column) -%}
    case when {{ column }} >= timestamp '0001-01-02' and {{ column }}::time <> time '00:00' then {{ column }} end
{%- endmacro -%}

{#- An amount to the cent, half a cent away from zero. The source keeps it as a double, whose 15 digits are said first,
    so that 1.005 is 1.01 as it is on the source's screen. -#}
{%- macro money(column) -%}
    round({{ column }}::numeric, 2)::numeric(14, 2)
{%- endmacro -%}

{#- An amount of which -1 says that it was left blank. -#}
{%- macro money_or_null(column) -%}
    case when {{ column }} <> -1 then {{ money(column) }} end
{%- endmacro -%}

{#- The key of a related row; null where there is none. Clinic 0 is no such: it is the headquarters. -#}
{%- macro foreign_key(column) -%}
    nullif({{ column }}, 0)
{%- endmacro -%}

{#- A flag, which is a number. -#}
{%- macro flag(column) -%}
    coalesce({{ column }} <> 0, false)
{%- endmacro -%}

{#- The name of a value of one of the source's enumerations; null where it has none. Names are looked up in one text
    made once a query, not row by row. A unit test of such a model has the seed among what is given, without rows. -#}
{%- macro enum_name(enumeration, column) -%}
    (
        (
            select jsonb_object_agg(names.value, names.name)
            from {{ ref('open_dental__enumeration') }} as names
            where names.enumeration = '{{ enumeration }}'
        ) ->> {{ column }}::text
    )
{%- endmacro -%}

{#- Minutes of a time pattern, each character of which is five; null where there is none. `mark` counts one kind of
    character only: X is the provider's time, / the assistant's. -#}
{%- macro pattern_minutes(column, mark=none) -%}
    {#- Counts by taking every other character away. -#}
    {%- set counted = column if mark is none else "regexp_replace(" ~ column ~ ", '[^" ~ mark ~ "]', '', 'g')" -%}
    case when {{ column }} <> '' then 5 * length({{ counted }}) end
{%- endmacro -%}

{#- One part of an interval that is packed into an integer, a byte a part: days, weeks, months, years from the lowest.
-#}
{%- macro interval_part(column, part) -%}
    (({{ column }} >> {{ {'days': 0, 'weeks': 8, 'months': 16, 'years': 24}[part] }}) & 255)
{%- endmacro -%}

{#- The same as an interval of PostgreSQL's. -#}
{%- macro packed_interval(column) -%}
    make_interval(
        years => {{ interval_part(column, 'years') }},
        months => {{ interval_part(column, 'months') }},
        weeks => {{ interval_part(column, 'weeks') }},
        days => {{ interval_part(column, 'days') }}
    )
{%- endmacro -%}

{#- A span that is kept in ticks of 100 nanoseconds, as an interval; to the microsecond. -#}
{%- macro ticks_to_interval(column) -%}
    (({{ column }} / 10) * interval '1 microsecond')
{%- endmacro -%}

{#- Full years of age on a day; ninety and more are one, for so few are as old that they would be known by it. -#}
{%- macro age_on(day, birthdate) -%}
    case
        when {{ day }} >= {{ birthdate }} then least(extract(year from age({{ day }}, {{ birthdate }}))::integer, 90)
    end
{%- endmacro -%}

{#- How many times a procedure counts: its units and those its code has from the outset, once at the least. -#}
{%- macro procedure_quantity(units, base_units) -%}
    greatest(coalesce({{ units }}, 0) + coalesce({{ base_units }}, 0), 1)
{%- endmacro -%}

{#- The columns of an appointment, and of the history's copies of it. Of the times of a visit only the time is kept by
    the source: midnight is none. -#}
{%- macro appointment_columns() -%}
    -- what and when
    aptnum as appointment_num,
    {{ foreign_key('patnum') }} as patient_num,
    aptstatus as appointment_status_code,
    {{ enum_name('ApptStatus', 'aptstatus') }} as appointment_status,
    {{ non_zero_timestamp('aptdatetime') }} as starts_at,
    {{ non_zero_date('aptdatetime') }} as schedule_date,
    {{ pattern_minutes('pattern') }} as minutes,
    {{ pattern_minutes('pattern', 'X') }} as provider_minutes,
    -- where and with whom; clinic 0 is the headquarters
    {{ foreign_key('op') }} as operatory_num,
    {{ foreign_key('provnum') }} as provider_num,
    {{ foreign_key('provhyg') }} as hygienist_num,
    {{ foreign_key('assistant') }} as assistant_num,
    coalesce(clinicnum, 0) as clinic_num,
    {{ foreign_key('nextaptnum') }} as planned_appointment_num,
    {{ foreign_key('confirmed') }} as confirmation_num,
    {{ foreign_key('unschedstatus') }} as unscheduled_status_num,
    {{ foreign_key('appointmenttypenum') }} as appointment_type_num,
    -- what kind; priority 1 is a patient who would come sooner
    {{ flag('isnewpatient') }} as is_new_patient,
    {{ flag('ishygiene') }} as is_hygiene,
    coalesce(priority = 1, false) as is_asap,
    -- how it went
    {{ non_midnight_timestamp('datetimearrived') }} as arrived_at,
    {{ non_midnight_timestamp('datetimeseated') }} as seated_at,
    {{ non_midnight_timestamp('datetimedismissed') }} as dismissed_at,
    {{ non_zero_timestamp('secdatetentry') }} as entered_at
{%- endmacro -%}
