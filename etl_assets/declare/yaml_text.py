"""YAML that a program wrote, or that every start reads: parsed as fast as there is a parser for it."""

from typing import Any

import yaml


def parse_yaml(text: str) -> Any:
    """Parse plain YAML, as `yaml.safe_load` does; raises as that. The parser in C takes a twentieth of its time."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
