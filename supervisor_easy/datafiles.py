"""Find the folders that travel with the package: templates, static, migrations.

A wheel carries them inside the package; in a checkout and in an editable install
they stand beside it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """Return the folder inside the package if it exists, else the one beside it."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
