"""`python -m chartgen`."""

from __future__ import annotations

import sys

from chartgen.cli import main

sys.exit(main())
