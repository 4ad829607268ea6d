"""Everything that the database holds, as text: what a thief of a backup would read."""

from django.apps import apps
from django.core import serializers

LEFT = ("contenttypes", "auth.permission")


def everything():
    """`{table: its rows as JSON}`, the index of words included."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.label_lower.startswith(LEFT):
            found[model._meta.label] = serializers.serialize("json", model._base_manager.all(), ensure_ascii=False)
    return found


def tables_with(text):
    return sorted(name for name, rows in everything().items() if text.casefold() in rows.casefold())
