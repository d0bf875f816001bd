"""One set of tests for every implementation of a seam."""
