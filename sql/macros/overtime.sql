{#- Of a shift's hours, those beyond an item's threshold, where `so_far` are the hours up to and with this shift. -#}
{%- macro hours_beyond(item, hours, so_far) -%}
    {#- All that lies beyond the threshold by the end of the shift, less what did before it. -#}
    (
        greatest({{ so_far }} - {{ item }}.threshold_hours, 0)
        - greatest({{ so_far }} - {{ hours }} - {{ item }}.threshold_hours, 0)
    )
{%- endmacro -%}

{#- Over the items of a rule: hours that are overtime, which are those beyond the lowest threshold. -#}
{%- macro overtime_hours(item, hours, so_far) -%}
    sum({{ hours_beyond(item, hours, so_far) }}) filter (where {{ item }}.is_lowest)
{%- endmacro -%}

{#- Over the items of a rule: hours at the base rate that cost as much as overtime adds. Each item adds what it pays
    more than the one below it. -#}
{%- macro premium_hours(item, hours, so_far) -%}
    sum({{ hours_beyond(item, hours, so_far) }} * {{ item }}.premium)
{%- endmacro -%}

{#- What the holiday hours of a shift cost on top, on its side `bill` or `pay`: at a rate of their own or, as a rule, at
    a multiple of the base rate. -#}
{%- macro holiday_impact(shift, side) -%}
    coalesce(
        round(
            {{ shift }}.{{ side }}_holiday_hours
            * case
                when {{ shift }}.{{ side }}_holiday = 'RATE'
                    then {{ shift }}.{{ side }}_holiday_rate - {{ shift }}.{{ side }}_rate
                else {{ shift }}.{{ side }}_rate * (coalesce({{ shift }}.{{ side }}_holiday_multiplier, 1) - 1)
            end, 2
        ), 0
    )
{%- endmacro -%}
