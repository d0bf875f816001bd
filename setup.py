"""Build step beyond pyproject.toml: see `BuildWithFiles`."""

from setuptools import setup

setup()
