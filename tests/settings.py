"""Settings of the test run: the real ones, with keys of their own and a database that can be copied."""

import base64
import os
from pathlib import Path

os.environ["ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", "tests-only-" + "x" * 50)
os.environ.setdefault("FIELD_KEYS", base64.urlsafe_b64encode(b"f" * 32).decode())
os.environ.setdefault("AUDIT_KEYS", "t1:" + base64.urlsafe_b64encode(b"a" * 32).decode())
os.environ.setdefault("ANCHOR_KEYS", "")  # tests of anchors name keys of their own
os.environ.setdefault("VAR_DIR", str(Path(__file__).resolve().parent.parent / "var" / "tests"))

from project.settings import *  # noqa: F403
from project.settings import DATABASES, VAR_DIR

VAR_DIR.mkdir(parents=True, exist_ok=True)
(VAR_DIR / "static").mkdir(exist_ok=True)  # the static files' server warns where there is none
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: threads and other processes share it, and a test resets it by copying the migrated one.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / f"test-{os.getpid()}.sqlite3")}
    # Tests kill processes, never the machine: what the kernel was given is not lost, so nothing waits for the disk.
    wait_for_disk = DATABASES["default"]["OPTIONS"]["init_command"]
    DATABASES["default"]["OPTIONS"]["init_command"] = wait_for_disk.replace("synchronous=FULL", "synchronous=OFF")
else:
    # The server is never killed by a test, only its clients: it need not wait for the disk.
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c synchronous_commit=off -c lock_timeout=20s"
    DATABASES["default"]["TEST"] = {"NAME": f"test_musterbook_{os.getpid()}"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
