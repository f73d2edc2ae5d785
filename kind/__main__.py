"""`python -m kind`."""

import sys

from kind.cli.main import main

sys.exit(main())
