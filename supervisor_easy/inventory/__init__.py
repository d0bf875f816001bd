"""The inventory: which hosts, groups and schedules there are, from one YAML file.

Nothing half-loads: a file gives an `Inventory`, or one error with every problem.
"""

from supervisor_easy.inventory.loader import load_inventory
from supervisor_easy.inventory.ranges import RangeError, expand, fold
from supervisor_easy.inventory.schema import inventory_schema
from supervisor_easy.inventory.values import (
    Amount,
    Group,
    Inventory,
    RestartOrder,
    RollingPolicy,
    ScheduleSpec,
)
from supervisor_easy.inventory.watched import InventoryFile

__all__ = [
    "Amount",
    "Group",
    "Inventory",
    "InventoryFile",
    "RangeError",
    "RestartOrder",
    "RollingPolicy",
    "ScheduleSpec",
    "expand",
    "fold",
    "inventory_schema",
    "load_inventory",
]
