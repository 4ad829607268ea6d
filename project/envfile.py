"""`.env` and the environment, strictly: what cannot be read is said in one sentence, with the name of the setting."""

import re
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

KINDS = {int: "a whole number", float: "a number"}
MEANS_NO = ("false", "off", "n", "no", "0")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LINE = re.compile(r"(export )?[A-Za-z_][A-Za-z_0-9]*=.*")
CANNOT_READ = (ValueError, KeyError, TypeError, IndexError, OSError)


class Env(environ.FileAwareEnv):  # type: ignore[misc]  # it comes without types
    """Values of the environment, or of `.env` where the environment says nothing. `X_FILE` names a file with X."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        try:
            return super().get_value(var, cast, default, parse_default)
        except CANNOT_READ as error:
            # Never the value: it may be a secret.
            wrong = f"must be {KINDS[cast]}" if cast in KINDS else f"cannot be read ({type(error).__name__})"
            raise ImproperlyConfigured(f"{var} {wrong}; see .env.example.") from error

    def bool(self, var: str, default: Any = False) -> bool:
        """Only what clearly means yes or no: anything else is a mistake, not a no."""
        said = str(self.get_value(var, default="")).strip().lower()
        if not said:
            return bool(default)
        if said not in (*self.BOOLEAN_TRUE_STRINGS, *MEANS_NO):
            raise ImproperlyConfigured(f"{var} must be yes or no.")
        return said in self.BOOLEAN_TRUE_STRINGS

    def level(self, var: str, default: str) -> str:
        said = str(self.get_value(var, default=default)).strip().upper()
        if said not in LEVELS:
            raise ImproperlyConfigured(f"{var} must be one of {', '.join(LEVELS)}.")
        return said

    def database(self, var: str, default: str) -> dict[str, Any]:
        """Of the form that Django wants; SQLite or PostgreSQL."""
        found: dict[str, Any] = self.db_url(var, default=default)
        if not found.get("ENGINE", "").endswith(("sqlite3", "postgresql")) or not found.get("NAME"):
            raise ImproperlyConfigured(f"{var} must be sqlite:///path or postgres://user:password@host/name.")
        return found


def read(path: Path) -> None:
    """Take over what `path` says, beneath what the environment says. Raises `ImproperlyConfigured` on a bad line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path.name} cannot be read ({type(error).__name__}).") from error
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#") and not LINE.fullmatch(line):
            raise ImproperlyConfigured(f"line {number} of {path.name} is not of the form NAME=value.")
    environ.FileAwareEnv.read_env(path)
