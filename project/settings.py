"""Settings of Musterbook, read from the environment and `.env`.

Every setting that an operator may touch is described in `.env.example`; our own are named, with their units, in
`membership/conf.py`. A secret `X` may come from a file instead: `X_FILE=/run/secrets/x`.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from project import envfile
from project.envfile import Env
from project.look import UNFOLD  # noqa: F401 - read by the admin's theme

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
ENV_FILE = Path(os.environ.get("ENV_FILE", BASE_DIR / ".env"))
if ENV_FILE.is_file():
    envfile.read(ENV_FILE)


def secret(name: str) -> str:
    """A secret that must be set."""
    value: str = env.str(name, default="").strip()
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. `make run` writes a .env with generated keys where there is none;"
            " .env.example says how to write it by hand."
        )
    return value


# --- keys -------------------------------------------------------------------------------------------------------------
SECRET_KEY = secret("SECRET_KEY")
FIELD_KEYS = [key.strip() for key in secret("FIELD_KEYS").split(",") if key.strip()]
AUDIT_KEYS = dict(pair.strip().split(":", 1) for pair in secret("AUDIT_KEYS").split(",") if ":" in pair)
ANCHOR_KEYS = dict(pair.strip().split(":", 1) for pair in env.str("ANCHOR_KEYS", default="").split(",") if ":" in pair)

# --- address ----------------------------------------------------------------------------------------------------------
BIND = env.str("BIND", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/") or f"http://127.0.0.1:{PORT}"
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in ("http", "https") or not _public.hostname:
    raise ImproperlyConfigured(
        f"PUBLIC_URL must be an address such as https://musterbook.example.org, not {PUBLIC_URL!r}."
    )
_https = _public.scheme == "https"
_loopback_names = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = [_public.hostname, *([] if _https else _loopback_names), *env.list("EXTRA_HOSTS", default=[])]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

DEBUG = False
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=_https) else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_NAME = "musterbook_session"
CSRF_COOKIE_NAME = "musterbook_csrf"
CSRF_FAILURE_VIEW = "membership.admin.refusals.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, UNSAFE_EVAL],  # the theme's Alpine evaluates attributes; no inline script anywhere
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# --- applications -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "membership",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "membership.admin.refusals.RefusalMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "membership.admin.context.panel",
            ],
        },
    },
]

# --- database ---------------------------------------------------------------------------------------------------------
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
DATABASES = {"default": env.database("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'musterbook.sqlite3'}")}
_database = DATABASES["default"]
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,  # seconds that a writer waits for another
        # FULL: a committed intent survives power loss. recursive_triggers: INSERT OR REPLACE meets the audit triggers.
        # secure_delete: what is erased is gone from the file, also what writing left beside its rows; Debian builds so.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;"
        " PRAGMA foreign_keys=ON; PRAGMA busy_timeout=20000; PRAGMA secure_delete=ON;",
    }
else:
    _database["CONN_MAX_AGE"] = 60
    _database["CONN_HEALTH_CHECKS"] = True
    # As on SQLite: a committed intent survives a crash; who waits longer for a lock learns it, instead of hanging.
    _database.setdefault("OPTIONS", {}).setdefault("options", "-c synchronous_commit=on -c lock_timeout=20s")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people at the panel ----------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "membership.services.sessions.PanelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_USERNAME_CALLABLE = "membership.services.sessions.name_for_lockout"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True  # our audit log keeps the log-ins
AXES_LOCKOUT_CALLABLE = "membership.admin.refusals.locked_out"
LOGIN_URL = "admin:login"

# --- words and times --------------------------------------------------------------------------------------------------
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", _("English"))]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = USE_TZ = True

# --- files ------------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_HANDLERS = [
    "membership.admin.uploads.Quota",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

# --- mail: notices, and the newest anchor of the audit log ------------------------------------------------------------
EMAIL_TIMEOUT = 10  # seconds
_email_url = env.str("EMAIL_URL", default="")
if _email_url:
    vars().update(env.email_url_config(_email_url))
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default=f"musterbook@{_public.hostname}")

# --- Musterbook; read through membership/conf.py ----------------------------------------------------------------------
MUSTERBOOK = {
    "READ_EVERY_S": env.float("READ_EVERY_S", default=30 * 60),
    "LEASE_S": env.float("LEASE_S", default=10),
    "PLAN_GOOD_FOR_S": env.float("PLAN_GOOD_FOR_S", default=24 * 60 * 60),
    "APPROVAL_GOOD_FOR_S": env.float("APPROVAL_GOOD_FOR_S", default=3 * 24 * 60 * 60),
    "COMPILE_IN_WORKER_ABOVE": env.int("COMPILE_IN_WORKER_ABOVE", default=10_000),
    "TYPE_NUMBER_ABOVE": env.int("TYPE_NUMBER_ABOVE", default=50),
    "STAGES_ABOVE": env.int("STAGES_ABOVE", default=50),
    "STAGE_SIZES": env.list("STAGE_SIZES", cast=int, default=[10]),
    "STAGE_FAILURES_ABOVE": env.float("STAGE_FAILURES_ABOVE", default=0.1),
    "SMALLEST_SHARE": env.float("SMALLEST_SHARE", default=0.5),
    "WORKER_SILENT_AFTER_S": env.float("WORKER_SILENT_AFTER_S", default=20),
    "MAILS": bool(_email_url),
    "NOTICE_DRIFT_ABOVE": env.int("NOTICE_DRIFT_ABOVE", default=20),
    "ROSTER_MAX_MB": env.int("ROSTER_MAX_MB", default=20),
    "ROSTER_MAX_ROWS": env.int("ROSTER_MAX_ROWS", default=200_000),
    "ROSTER_KEPT_DAYS": env.float("ROSTER_KEPT_DAYS", default=7),
    "ANCHOR_FILE": env.str("ANCHOR_FILE", default="") or VAR_DIR / "anchors.jsonl",
    "ANCHOR_COMMAND": env.str("ANCHOR_COMMAND", default=""),
    "ANCHOR_MAIL_TO": env.list("ANCHOR_MAIL_TO", default=[]),
    "ANCHOR_MAIL_EVERY_S": env.float("ANCHOR_MAIL_EVERY_S", default=60 * 60),
    "ARCHIVE_DIR": env.str("ARCHIVE_DIR", default="") or VAR_DIR / "archive",
}

# --- logs: ids and counts, no names, no tokens, no bodies -------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.level("LOG_LEVEL", default="INFO")},
    "loggers": {"axes": {"level": "WARNING"}, "gunicorn": {"level": "INFO"}},
}
