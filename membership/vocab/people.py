"""States and causes of what is known about people: drift, proposals, presence, end dates, erasures."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class DriftKind(TextChoices):
    JOINED = "joined", _("joined")
    LEFT = "left", _("left")
    ALTERED = "altered", _("altered")
    GROUP_APPEARED = "group_appeared", _("group appeared")
    GROUP_VANISHED = "group_vanished", _("group vanished")


class DriftState(TextChoices):
    """What was decided about a difference made outside.

    OPEN -> ADOPTED      it is right as it is
    OPEN -> REVERTED     a change was compiled that undoes it
    OPEN -> IGNORED      not shown until a day; then OPEN again
    """

    OPEN = "open", _("to look at")
    ADOPTED = "adopted", _("adopted")
    REVERTED = "reverted", _("being reverted")
    IGNORED = "ignored", _("ignored for now")


class ProposalState(TextChoices):
    """A proposal that an account belongs to a person.

    OPEN -> ACCEPTED     the accounts are linked
    OPEN -> REJECTED     they are different people; not proposed again
    ACCEPTED -> OPEN     taken back
    """

    OPEN = "open", _("to look at")
    ACCEPTED = "accepted", _("linked")
    REJECTED = "rejected", _("different people")


class ProposalHint(TextChoices):
    SAME_EMAIL = "same_email", _("same e-mail")
    SAME_NAME = "same_name", _("same name (a weak hint)")


class PresenceCause(TextChoices):
    """How a presence began or ended."""

    OPERATION = "operation", _("by a change made here")
    READING = "reading", _("changed outside")
    UNKNOWN = "unknown", _("there before Musterbook looked")


class EndingState(TextChoices):
    """The last day of somebody in a group.

    OPEN -> DUE          the day is over; a change that removes them was made
    DUE -> OPEN          nobody confirmed that change in time: it is made anew
    OPEN, DUE -> CLOSED  they are gone, or never came, or somebody threw the removal away or rejected it
    OPEN -> LIFTED       somebody took the end date away, or set another one
    """

    OPEN = "open", _("to come")
    DUE = "due", _("due")
    CLOSED = "closed", _("over")
    LIFTED = "lifted", _("taken away")


class ErasureState(TextChoices):
    """What became of a wish to erase a person.

    ASKED -> DONE        somebody else approved; what is stored about the person is gone
    ASKED -> REJECTED    it stays as it is
    """

    ASKED = "asked", _("waits for a second person")
    DONE = "done", _("erased")
    REJECTED = "rejected", _("rejected")


ERASED = "(erased)"
"""What stands where a name was, in rows and on pages."""
