"""Makes a first inventory out of what a team has already; nothing is executed.

Passwords become `{env: NAME}` references unless they are asked to be kept.
"""

from pathlib import Path

from supervisor_easy.inventory.importers.ansible import import_ansible
from supervisor_easy.inventory.importers.config_py import import_config_py
from supervisor_easy.inventory.importers.draft import Imported, read_source
from supervisor_easy.inventory.importers.supervisorctl import import_supervisorctl

__all__ = [
    "Imported",
    "import_ansible",
    "import_config_py",
    "import_file",
    "import_supervisorctl",
]


def import_file(path: Path | str, *, keep_passwords: bool = False) -> Imported:
    """Import a file of whichever kind it is: by its ending, else by what it holds.

    Raises:
        InventoryError: it cannot be read, or holds nothing to take over.
    """
    path, raw = read_source(path)
    if path.suffix == ".py":
        return import_config_py(path, keep_passwords=keep_passwords)
    if any(line.strip() == b"[supervisorctl]" for line in raw.splitlines()):
        return import_supervisorctl(path, keep_passwords=keep_passwords)
    return import_ansible(path, keep_passwords=keep_passwords)
