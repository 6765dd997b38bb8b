"""TrialSync rules: what must be true of the records of Clinical Conductor."""

from etl_assets.declare.rules import Rule

RULES: tuple[Rule, ...] = ()
