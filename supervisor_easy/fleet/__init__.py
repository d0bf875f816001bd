"""All hosts at once: live state, bulk actions, configuration updates, log fan-in."""
