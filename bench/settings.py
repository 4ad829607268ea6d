"""Settings of a measurement: the real ones, in a database of its own that is made and dropped.

SQLite keeps its synchronous FULL, PostgreSQL waits for its disk: what is measured is what an installation does.
"""

import base64
import os
import tempfile
from pathlib import Path

os.environ["ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", "bench-only-" + "x" * 50)
os.environ.setdefault("FIELD_KEYS", base64.urlsafe_b64encode(b"f" * 32).decode())
os.environ.setdefault("AUDIT_KEYS", "b1:" + base64.urlsafe_b64encode(b"a" * 32).decode())
os.environ.setdefault("VAR_DIR", str(Path(tempfile.gettempdir()) / f"musterbook-bench-{os.getpid()}"))

from project.settings import *  # noqa: F403
from project.settings import DATABASES, LOGGING, VAR_DIR

VAR_DIR.mkdir(parents=True, exist_ok=True)
(VAR_DIR / "static").mkdir(exist_ok=True)
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "bench.sqlite3")}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"musterbook_bench_{os.getpid()}"}
if os.environ.get("BENCH_DATABASE"):  # a process beside the one that made it
    DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
LOGGING = {**LOGGING, "root": {"handlers": ["console"], "level": "WARNING"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
