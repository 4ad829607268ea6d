"""Local humans, and their accounts on the remotes."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.connection import Connection
from membership.models.visibility import InConnection
from membership.vocab import ProposalHint, ProposalState


class Described(models.Model):
    """What is said about a human."""

    name = models.CharField(_("name"), max_length=300)
    is_protected = models.BooleanField(_("protected"), default=False)
    protected_note = models.CharField(_("why protected"), max_length=300, blank=True)
    protected_by_id = models.BigIntegerField(null=True, blank=True)
    protected_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Person(Described):
    """A human to whom accounts are linked. Ours: no remote knows about it."""

    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ("name", "pk")
        indexes = [models.Index(fields=["name", "id"])]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(pk__in=Account.objects.filter(connection_id__in=connection_ids).values("person_id"))


class Account(InConnection, models.Model):
    """A remote user of one connection, as the remote last told."""

    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="accounts", verbose_name=_("system")
    )
    remote_id = models.CharField(_("id there"), max_length=200)
    label = models.CharField(_("name"), max_length=600)
    email = models.CharField(_("e-mail"), max_length=320, null=True, blank=True)  # noqa: DJ001 - unknown is not empty
    active = models.BooleanField(_("active"), default=True)
    virtual = models.BooleanField(_("virtual"), default=False)
    email_blocked_at = models.DateTimeField(_("e-mail blocked since"), null=True, blank=True)
    delete_requested_at = models.DateTimeField(_("deletion asked for"), null=True, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    person = models.ForeignKey(
        Person, on_delete=models.PROTECT, null=True, blank=True, related_name="accounts", verbose_name=_("person")
    )
    is_own = models.BooleanField(_("Musterbook's own"), default=False)
    content_hash = models.CharField(max_length=32, blank=True)
    is_present = models.BooleanField(_("still there"), default=True)
    places_read_at = models.DateTimeField(null=True, blank=True)
    """When everything that the remote tells about where this account takes part was last read completely."""
    places_asked_at = models.DateTimeField(null=True, blank=True)
    """When the remote was last asked for the places of this account, where it can tell them."""
    seen_at = models.DateTimeField(_("last changed as seen"))

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ("label", "pk")
        constraints = [models.UniqueConstraint(fields=["connection", "remote_id"], name="account_once")]
        indexes = [models.Index(fields=["label", "id"]), models.Index(fields=["email"])]

    def __str__(self) -> str:
        return self.label or self.remote_id


class LinkProposal(models.Model):
    """Two accounts that may be the same human. Proposed, never silent, and reversible."""

    first = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    hint = models.CharField(_("why"), max_length=20, choices=ProposalHint)
    state = models.CharField(_("state"), max_length=20, choices=ProposalState, default=ProposalState.OPEN)
    proposed_at = models.DateTimeField()
    decided_by_id = models.BigIntegerField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("proposal to link")
        verbose_name_plural = _("proposals to link")
        ordering = ("hint", "pk")
        constraints = [models.UniqueConstraint(fields=["first", "second"], name="proposal_once")]

    def __str__(self) -> str:
        return f"{self.first_id} = {self.second_id}?"

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(first__connection_id__in=connection_ids, second__connection_id__in=connection_ids)


class Merging(Described):
    """Who somebody was before two people became one: that is restored when the link is taken back.

    Only `services/merging.py` writes these rows, and no page shows them: they are no person.
    """

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="mergings")
    """Whose part they are now."""
    former_id = models.BigIntegerField(unique=True)
    """The number that they had as a person, and get again."""
    created_at = models.DateTimeField()
    merged_at = models.DateTimeField()
    """When the proposals were accepted by which they became one."""
    accounts = models.JSONField(default=list)
    """Ids of the accounts that were theirs."""
    others = models.JSONField(default=list)
    """Ids of the accounts that were those of the people with whom they became one."""
    leaving_id = models.BigIntegerField(null=True, blank=True)
    """The leaver's row that was open then."""

    class Meta:
        verbose_name = "merging"

    def __str__(self) -> str:
        return f"person {self.former_id} in {self.person_id}"
