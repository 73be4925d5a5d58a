"""Imports diffusers and transformers as if SciPy were not installed, which Soroe does not need.

Where SciPy is installed, as for the tests, they import its statistics and optimization, for settings of schedulers and
for models that are not offered here. That takes a second of each process that runs a model.
"""

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_hidden = "scipy" not in _modules
if _hidden:
    _modules["scipy"] = None  # Python finds no package of this name
try:
    import diffusers as diffusers  # it looks for SciPy once
    from transformers.utils import is_scipy_available

    is_scipy_available()  # it keeps the answer
finally:
    if _hidden:
        del _modules["scipy"]
