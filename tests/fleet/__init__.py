"""The engine over real supervisords."""
