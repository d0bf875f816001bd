"""Unit tests of fleet/."""
