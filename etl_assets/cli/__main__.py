"""`python -m etl_assets.cli` is `etl`."""

import sys

from etl_assets.cli import main

if __name__ == "__main__":
    sys.exit(main())
