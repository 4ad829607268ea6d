"""What became of rows that somebody decided about in bulk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decided:
    """`done` rows were decided; `left` were not: somebody was quicker, or for a reason that the service names."""

    done: int
    left: int
