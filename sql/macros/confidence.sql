{#- The bounds of Wilson's 95 % interval of a share; null where there is nothing to divide by. `sign` is - for the lower
    bound and + for the upper one.

    Unlike the normal interval it stays within 0 and 1, and says something of few trials. -#}
{%- macro wilson_bound(hits, trials, sign) -%}
    {#- z is 1.96 at 95 %; z² is 3.8416, half of it 1.9208, a quarter of it 0.9604. -#}
    round((
        ({{ hits }} + 1.9208)
        {{ sign }} 1.96 * sqrt({{ hits }} * ({{ trials }} - {{ hits }}) / nullif({{ trials }}, 0)::numeric + 0.9604)
    ) / nullif({{ trials }} + 3.8416, 3.8416), 4)
{%- endmacro -%}

{#- A bound of the normal 95 % interval of a mean; null under two values. -#}
{%- macro mean_bound(value, sign) -%}
    round(avg({{ value }}) {{ sign }} 1.96 * stddev_samp({{ value }}) / sqrt(count({{ value }})::numeric), 2)
{%- endmacro -%}

{#- The median, to the hundredth. -#}
{%- macro median(value) -%}
    round((percentile_cont(0.5) within group (order by {{ value }}))::numeric, 2)
{%- endmacro -%}
