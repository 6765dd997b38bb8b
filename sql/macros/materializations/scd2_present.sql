{#- For a model that says what there is now (`gone`): what it says, each with the moment from which it counts.

    - What the version in force says already counts from where that begins, so it is no news.
    - What differs counts from its own moment where that is later than the version in force began, or else from now:
      then the source's stamp did not move, or it went back. A moment that lies ahead, or a null, is now too.
    - A member that is said no longer is gone from now on, and says what it said last. -#}
{%- macro scd2_present(target, said, spec) -%}
{%- set at, gone = spec.effective_at, spec.gone -%}
{%- set now_at_least = 'greatest(now(), held.valid_from + interval \'1 microsecond\')' -%}
alter view pg_temp.{{ said }} rename to {{ said }}_now;
create temporary view {{ said }} as
select
    {{ columns_of(spec.said | reject('equalto', at) | list, 'said') }},
    case
        when held.surrogate_key is null then least(coalesce(said.{{ at }}, now()), now())
        when ({{ columns_of(spec.tracked, 'held') }}) is not distinct from ({{ columns_of(spec.tracked, 'said') }})
            then held.valid_from
        when said.{{ at }} > held.valid_from and said.{{ at }} <= now() then said.{{ at }}
        else {{ now_at_least }}
    end as {{ at }}
from pg_temp.{{ said }}_now as said
left join {{ target }} as held on {{ same(spec.natural, 'held', 'said') }} and held.is_current
union all
select
    {% for name in spec.said | reject('equalto', at) -%}
    {{ 'true' if name == gone else 'held.' ~ name }},
    {% endfor -%}
    {{ now_at_least }}
from {{ target }} as held
where
    held.is_current
    and not held.{{ gone }}
    and not exists (select 1 from pg_temp.{{ said }}_now as said where {{ same(spec.natural, 'held', 'said') }})
{%- endmacro -%}
