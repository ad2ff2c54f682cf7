"""Classic bugs, each put into the sources by replacing one fragment, and the tests that must fail then.

Each module of this folder holds a list of them; `test_mutants.py` applies them one at a time. A bug that its tests do not see
is a hole in the suite: the remedy is a test, not a weaker bug.
"""

import importlib
import pkgutil

from tests.mutants.record import Mutant

LISTS = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__) if m.name != "record"]
MUTANTS = [mutant for module in LISTS for mutant in module.MUTANTS]

__all__ = ["MUTANTS", "Mutant"]
