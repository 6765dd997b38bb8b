{#- For a model that is the source's current state (`deleted_flag`), one row a member: put in its place what scd2
    merges, the same rows each with the moment from which it counts, and one for each member that the state lacks.

    - What the current version says already counts from where that begins, so it is no new information.
    - What differs counts from its own moment where that is later than the current version began, or else from now:
      then the source's stamp did not move, or it went back. A moment that lies ahead, or a null, is now too.
    - A member that the state lacks is deleted from now on, and says what it said last. -#}
{%- macro scd2_current_state(target, spec) -%}
{%- set at, same_member = spec.effective_at, columns_equal(spec.natural_key, 'existing', 'incoming') -%}
{%- set attributes = spec.incoming_columns | reject('equalto', at) | list -%}
{#- A version is never empty: the next one begins later than it did. -#}
{%- set now_at_least = 'greatest(now(), existing.valid_from + interval \'1 microsecond\')' -%}
alter view {{ spec.incoming }} rename to {{ model.alias }}__source_state;
create temporary view {{ model.alias }}__incoming as
select
    {{ qualified_columns(attributes, 'incoming') }},
    case
        when existing.surrogate_key is null then least(coalesce(incoming.{{ at }}, now()), now())
        when not {{ columns_differ(spec.tracked, 'existing', 'incoming') }} then existing.valid_from
        when incoming.{{ at }} > existing.valid_from and incoming.{{ at }} <= now() then incoming.{{ at }}
        else {{ now_at_least }}
    end as {{ at }}
from {{ spec.source_state }} as incoming
left join {{ target }} as existing on {{ same_member }} and existing.is_current
union all
-- deletions, found by absence
select
    {% for name in attributes -%}
    {{ 'true' if name == spec.deleted_flag else 'existing.' ~ name }},
    {% endfor -%}
    {{ now_at_least }}
from {{ target }} as existing
where
    existing.is_current
    and not existing.{{ spec.deleted_flag }}
    and not exists (select 1 from {{ spec.source_state }} as incoming where {{ same_member }})
{%- endmacro -%}
