"""What the commands share.

Every command imports this before anything else of the project, which puts the checkout first on the path: the packages
`agents`, `rollouts` and `scoring` are then its own, whatever else of these names is installed.
"""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT))
