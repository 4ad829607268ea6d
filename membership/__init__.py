"""Musterbook: who is in which room, across remote chat and group systems."""
