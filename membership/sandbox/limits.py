"""Request limits as the remotes count them: so many in a window that begins with its first request."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Window:
    ends_at: float
    used: int = 0


@dataclass(slots=True)
class Limits:
    """Counts by name and caller. Kept in memory: a restart forgets them."""

    _windows: dict[tuple[str, str], Window] = field(default_factory=dict)

    def take(self, name: str, caller: str, *, allowed: int, seconds: float, now: float) -> Window:
        """Count one request; it is over the limit when `used` is above `allowed`."""
        window = self._windows.get((name, caller))
        if window is None or now >= window.ends_at:
            window = self._windows[name, caller] = Window(now + seconds)
        if window.used <= allowed:
            window.used += 1
        return window

    def look(self, name: str, caller: str, *, now: float) -> tuple[int, float]:
        """(used, when the window ends), uncounted."""
        window = self._windows.get((name, caller))
        return (window.used, window.ends_at) if window is not None else (0, now)

    def reset(self) -> None:
        self._windows.clear()
