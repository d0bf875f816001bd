"""The tests, and helpers that other tools may import too."""
