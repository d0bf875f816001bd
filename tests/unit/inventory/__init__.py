"""The inventory: its file, its parts, and what imports into it."""
