{#- The id of a record of staging, which is wider, as an integer; null where it fits none. -#}
{%- macro integer_id() -%}
    case when id between -2147483648 and 2147483647 then id::integer end
{%- endmacro -%}

{#- A condition: the source still has the record.

    Without statistics, as on a table just loaded, PostgreSQL takes a bare `deleted_at is null` to be true of almost no
    row, and joins what follows row by row; that an expression is not null it takes to be true of almost every one. -#}
{%- macro is_not_deleted() -%}
    case when deleted_at is null then id end is not null
{%- endmacro -%}

{#- What is at a path of a document, such as `billingSetting.rate`, as text. -#}
{%- macro json_path_text(path, document='raw_data') -%}
    {%- if '.' in path -%}
        ({{ document }} #>> '{ {{- path | replace('.', ',') -}} }')
    {%- else -%}
        ({{ document }} ->> '{{ path }}')
    {%- endif -%}
{%- endmacro -%}

{#- A field of a document in a type of PostgreSQL's; a value that is not of the type is null, and never an error.

    What PostgreSQL would read into a word is not taken for a value either: a moment needs an offset, for without one
    it would be read in the zone of whoever asks, and a `timestamp` has none; `now` is no date, and `NaN` no number. A
    moment may also be a Unix time in seconds, as a number or in quotes. -#}
{%- macro json_field(path, type='text', document='raw_data') -%}
    {#- What a value must look like, before PostgreSQL is asked whether it is valid. -#}
    {%- set patterns = {
        'timestamptz': '^\\d{4}-\\d\\d-\\d\\d[T ].*(Z|[+-]\\d\\d(:?\\d\\d)?)$',
        'timestamp': '^\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?$',
        'date': '^\\d{4}-\\d\\d-\\d\\d',
        'numeric': '^-?[0-9.]',
    } -%}
    {%- set found, pattern = json_path_text(path, document), patterns.get(type.split('(')[0]) -%}
    {%- if type == 'text' -%}
        {{ cleaned(found) }}
    {%- else -%}
        case
            when {{ found ~ " ~ '" ~ pattern ~ "' and " if pattern }}pg_input_is_valid({{ found }}, '{{ type }}')
                then {{ found }}::{{ type }}
            {%- if type == 'timestamptz' %}
            when {{ found }} ~ '^\d{9,11}(\.\d+)?$' then to_timestamp({{ found }}::double precision)
            {%- endif %}
        end
    {%- endif -%}
{%- endmacro -%}

{#- The id of a related record: the field itself, or the id inside of it where the service was asked to include it. -#}
{%- macro json_relation(path, document='raw_data') -%}
    coalesce({{ json_field(path, 'integer', document) }}, {{ json_field(path ~ '.id', 'integer', document) }})
{%- endmacro -%}
