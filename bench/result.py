"""One measured figure: a ratio of subject to control, and what both were."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """`ratio` is the median over the rounds; `goal` None: only told, not judged."""

    name: str
    database: str
    ratio: float
    unit: str
    control: str
    subject: str
    goal: float | None = None
    rounds: tuple[float, ...] = ()
    note: str = ""

    @property
    def is_reached(self) -> bool:
        return self.goal is None or self.ratio >= self.goal

    def line(self) -> str:
        """As the parent process reads it."""
        return f"RESULT {json.dumps(asdict(self))}"

    @classmethod
    def read(cls, line: str) -> "Result | None":
        if not line.startswith("RESULT "):
            return None
        fields = json.loads(line.removeprefix("RESULT "))
        return cls(**{**fields, "rounds": tuple(fields["rounds"])})


def medians(rounds: int, runs: Sequence[Callable[[], float]]) -> list[list[float]]:
    """Run each of `runs` in turn, so many times: what disturbs one disturbs the others. A list of values a run."""
    values: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, kept in zip(runs, values, strict=True):
            kept.append(run())
    return values


def ratios(subject: Sequence[float], control: Sequence[float]) -> tuple[float, tuple[float, ...]]:
    """The median of the ratios of neighbours in time, and all of them."""
    each = tuple(round(mine / theirs, 3) for mine, theirs in zip(subject, control, strict=True))
    return statistics.median(each), each
