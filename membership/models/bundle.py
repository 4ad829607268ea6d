"""Named bundles: groups of several systems with rights, given to people or withdrawn in one go."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.group import Group


class Bundle(models.Model):
    name = models.CharField(_("name"), max_length=200, unique=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("bundle")
        verbose_name_plural = _("bundles")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        """Bundles that hold no group of another system."""
        hidden = BundleItem.objects.exclude(group__connection_id__in=connection_ids).values("bundle_id")
        return ~Q(pk__in=hidden)


class BundleItem(models.Model):
    """One group of a bundle, and the rights that go with it. None: as the remote gives them."""

    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="items")
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="+", verbose_name=_("group"))
    is_manager = models.BooleanField(_("manager"), default=False)
    can_write = models.BooleanField(_("can write"), null=True, blank=True)
    is_muted = models.BooleanField(_("muted"), null=True, blank=True)

    class Meta:
        verbose_name = _("group of a bundle")
        constraints = [models.UniqueConstraint(fields=["bundle", "group"], name="bundle_group_once")]

    def __str__(self) -> str:
        return f"{self.bundle_id}: {self.group_id}"
