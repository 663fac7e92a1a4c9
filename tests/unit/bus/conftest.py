"""The exchange is plain code beside the tests; import-by-path needs it on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
