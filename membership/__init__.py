"""Musterbook: who is in which room, across remote chat and group systems."""

__version__ = "0.1.0"  # as in pyproject.toml; remotes see it in User-Agent
