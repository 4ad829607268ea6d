"""All stored secrets encrypted anew with the first of FIELD_KEYS."""

from collections import Counter
from collections.abc import Iterator

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Cast

from membership import conf
from membership.audit import record
from membership.models.fields import EncryptedJSONField
from membership.vocab import AuditAction, Chain

CHUNK = 200
OUTCOMES = ("rotated", "unchanged", "unreadable")


def rotate_secrets() -> dict[str, int]:
    """How many stored secrets were encrypted anew, were so already, and cannot be read by any key (those stay).

    Safe to repeat and to interrupt. Contents do not change, so the mirror's rows may be touched here, too. When nothing
    is unreadable, all keys but the first may be taken out of FIELD_KEYS.
    """
    keys, newest = conf.fernet(), Fernet(settings.FIELD_KEYS[0])
    counts: Counter[str] = Counter()
    for model, field in encrypted_fields():
        for chunk in _chunks(model, field.attname):
            with transaction.atomic():
                for pk, stored in chunk:
                    counts[_rotate(model, field.attname, pk, stored, keys, newest)] += 1
    done = {outcome: counts[outcome] for outcome in OUTCOMES}
    with transaction.atomic():
        record.write(Chain.PANEL, [record.Entry(AuditAction.SECRETS_ROTATED, data=done)])
    return done


def unreadable_secrets() -> int:
    """How many stored secrets none of FIELD_KEYS opens."""
    keys, found = conf.fernet(), 0
    for model, field in encrypted_fields():
        for chunk in _chunks(model, field.attname):
            found += sum(not _opens(keys, stored) for _pk, stored in chunk)
    return found


def encrypted_fields() -> Iterator[tuple[type[models.Model], EncryptedJSONField]]:
    """Every encrypted column of ours."""
    for model in apps.get_app_config("membership").get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedJSONField):
                yield model, field


def _chunks(model: type[models.Model], column: str) -> Iterator[list[tuple[int, str]]]:
    """(pk, ciphertext) of what is set, by primary key."""
    last = 0
    while True:
        # Cast: the text as stored. Read as its own type, it would come opened.
        rows = list(
            model._default_manager.annotate(stored=Cast(column, models.TextField()))
            .filter(pk__gt=last)
            .exclude(stored="")
            .order_by("pk")
            .values_list("pk", "stored")[:CHUNK]
        )
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _rotate(model: type[models.Model], column: str, pk: int, stored: str, keys: MultiFernet, newest: Fernet) -> str:
    if _opens(newest, stored):
        return "unchanged"
    if not _opens(keys, stored):
        return "unreadable"
    fresh = models.Value(keys.rotate(stored.encode()).decode(), output_field=models.TextField())
    row = model._default_manager.annotate(stored=Cast(column, models.TextField())).filter(pk=pk)
    if row.filter(stored=stored).update(**{column: fresh}):
        return "rotated"
    # Somebody wrote meanwhile, maybe a worker that does not have the new key yet.
    written = row.values_list("stored", flat=True).first()
    return _rotate(model, column, pk, written, keys, newest) if written else "unchanged"


def _opens(keys: Fernet | MultiFernet, stored: str) -> bool:
    try:
        keys.decrypt(stored.encode())
    except InvalidToken:
        return False
    return True
