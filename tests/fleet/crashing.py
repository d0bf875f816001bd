"""A console that begins an action and waits, so that a test can kill it.

`python -m tests.fleet.crashing INVENTORY DATABASE_URL ACTION LEASE_SECONDS TARGET…`
"""

import sys
from pathlib import Path

from supervisor_easy.model import Action
from supervisor_easy.settings import Settings
from supervisor_easy.wire import target_from_text
from tests.fleet.conftest import Console


def main() -> None:
    inventory, database_url, action, lease, *targets = sys.argv[1:]
    settings = Settings.model_validate(
        {
            "inventory": Path(inventory),
            "database_url": database_url,
            "lease_ttl": f"{lease}s",
        }
    )
    console = Console(settings)
    operation = console.begin(
        Action(action), *(target_from_text(text) for text in targets)
    )
    sys.stdout.write(f"{operation.id}\n")
    sys.stdout.flush()
    console.wait(operation.id)
    console.close()


if __name__ == "__main__":
    main()
