"""An inventory written for one test, and the files that every test may read."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from supervisor_easy.inventory import Inventory, load_inventory

DATA = Path(__file__).parents[2] / "data" / "inventories"

Load = Callable[..., Inventory]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a loader of a text; its environment is empty unless given."""

    def from_text(text: str, environ: Mapping[str, str] | None = None) -> Inventory:
        path = tmp_path / "inventory.yaml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return load_inventory(path, environ=environ or {})

    return from_text
