"""What a user of the panel may see: one function behind every list, search, action, service, export and count."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q

from membership.vocab import Chain, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Viewer = User | AnonymousUser
else:
    Viewer = object

M = TypeVar("M", bound=models.Model)


class Reach(models.Model):
    """Limits one user to some systems. A user without a row reaches all of them."""

    user = models.OneToOneField(get_user_model(), on_delete=models.CASCADE, related_name="reach")
    connections = models.ManyToManyField("membership.Connection", related_name="+")

    class Meta:
        verbose_name = "reach"

    def __str__(self) -> str:
        return f"reach of user {self.user_id}"


def has_right(user: Viewer, right: Right) -> bool:
    return bool(user.is_active and user.has_perm(f"membership.{right.value}"))


def reached_ids(user: Viewer) -> list[int] | None:
    """Ids of the connections that the user is limited to; None: all."""
    if user.is_superuser:
        return None
    if not hasattr(user, "_reached_ids"):  # one query a request
        reach = Reach.objects.filter(user=user.pk or 0).first()
        ids = None if reach is None else list(reach.connections.values_list("pk", flat=True))
        user.__dict__["_reached_ids"] = ids
    known: list[int] | None = user.__dict__["_reached_ids"]
    return known


def visible_to(queryset: models.QuerySet[M], user: Viewer) -> models.QuerySet[M]:
    """The rows of `queryset` that the user may see. Nothing without the right to see."""
    is_log = queryset.model._meta.model_name == "auditentry"
    if not has_right(user, Right.READ_AUDIT if is_log else Right.SEE):
        return queryset.none()
    if is_log and not has_right(user, Right.READ_LOG_INS):
        queryset = queryset.filter(~Q(chain=Chain.LOG_IN) | Q(actor_id=user.pk))
    ids = reached_ids(user)
    if ids is None:
        return queryset
    condition: Any = queryset.model.visible_within(ids, user.pk)  # type: ignore[attr-defined]
    return queryset.filter(condition)


class InConnection:
    """For models with a `connection` of their own."""

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(connection_id__in=connection_ids)
