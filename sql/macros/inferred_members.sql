{#- Inferred members: one row for each key that facts or other dimensions refer to and the source does not describe
    (yet), since the moment of its first reference (`known_at`). A fact then finds a surrogate key for it, which stays
    when the member is described later: scd2 completes it in place (its config `inferred_flag`).

    `referenced` has a row for each reference, with the key and `referenced_at`; `described` has the members that the
    source describes. A dimension appends them to these by a full join over both columns:

        from described
        full join inferred using (client_id, known_at)

    No key is in both, so that nothing matches. Columns go by name, and those that an inferred member lacks are null; a
    union would go by position and list a null for each. -#}
{%- macro inferred_members(natural_key, referenced, described) -%}
select
    {{ natural_key }},
    min(referenced_at) as known_at
from {{ referenced }}
where
    {{ natural_key }} is not null
    and referenced_at is not null
    and {{ natural_key }} not in (select {{ described }}.{{ natural_key }} from {{ described }})
group by {{ natural_key }}
{%- endmacro -%}
