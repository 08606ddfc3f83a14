"""``python -m otel_stdlib.cli``: the command where its script is not on the path."""

import sys

from otel_stdlib.cli.main import main

sys.exit(main())
