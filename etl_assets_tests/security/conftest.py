from etl_assets_tests.orchestration.conftest import installation  # noqa: F401 (a fixture)
