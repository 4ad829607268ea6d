"""WSGI entry, served by gunicorn."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

# What is loaded at start stays. Looked through again and again, it makes single pages slow.
gc.collect()
gc.freeze()
