"""dagster-dbt, imported as where dbt-core is not installed: two CPU-seconds less, in each process of Dagster's.

It needs dbt to select nodes and to read its log. Assets are made of whole manifests here, and results come from dbt
itself; whoever builds imports dbt then (`dbt_build`).
"""

import sys

_has_dbt = "dbt" in sys.modules
if not _has_dbt:
    sys.modules["dbt"] = None  # type: ignore[assignment]  # so an import of it raises ImportError
try:
    from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
finally:
    if not _has_dbt:
        del sys.modules["dbt"]

__all__ = ["DagsterDbtTranslator", "DagsterDbtTranslatorSettings", "dbt_assets"]
