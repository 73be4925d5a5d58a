"""Starts Python as if SciPy were not installed, as it is not where Soroe runs.

diffusers and transformers import its statistics and optimization wherever they find it, for settings that are not
offered. That takes a second of each process with a model, and the tests start dozens.
"""

import sys
from typing import Any

modules: dict[str, Any] = sys.modules
modules["scipy"] = None  # Python finds no package of this name
