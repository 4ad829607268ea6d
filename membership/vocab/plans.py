"""What plans ask for, what guards say of them, and what somebody decided."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Verb(TextChoices):
    """What a wish asks for. A plan does them in this order, one after the other in each system (docs/operations.md):
    nobody is left out longer than needed, and nobody leaves before all who come have come."""

    CREATE_GROUP = "create_group", _("create group")
    RENAME_GROUP = "rename_group", _("rename group")
    ADD = "add", _("add")
    UPDATE = "update", _("alter")
    REMOVE = "remove", _("remove")
    DELETE_GROUP = "delete_group", _("delete group")

    @classmethod
    def of_groups(cls) -> frozenset["Verb"]:
        """What is done to a group itself, not to somebody in it."""
        return frozenset({cls.CREATE_GROUP, cls.RENAME_GROUP, cls.DELETE_GROUP})

    @property
    def turn(self) -> int:
        """Its place in that order."""
        return list(Verb).index(self)


class ChangeKind(TextChoices):
    REMOVAL = "removal", _("removal")
    REMOVAL_EVERYWHERE = "removal_everywhere", _("removal from everywhere")
    ADDITION = "addition", _("addition")
    ALTERATION = "alteration", _("alteration")
    MOVE = "move", _("move")
    COPY = "copy", _("copy")
    GROUP = "group", _("change of a group")
    BUNDLE = "bundle", _("bundle assigned")
    BUNDLE_WITHDRAWN = "bundle_withdrawn", _("bundle withdrawn")
    SAME_GROUPS = "same_groups", _("the same groups as somebody")
    MATRIX = "matrix", _("edit of a person's places")
    REVERT = "revert", _("revert of what was changed outside")
    WAY_BACK = "way_back", _("way back from half a change")
    BACK_TO_DAY = "back_to_day", _("group brought back to a day")
    RETRY = "retry", _("another try")
    ROSTER = "roster", _("list from a file")
    TAKE_BACK = "take_back", _("taken back")
    ENDING = "ending", _("end dates")
    LEAVER = "leaver", _("leaver")

    @classmethod
    def only_remove(cls) -> frozenset[str]:
        """Kinds by which people leave and nothing else happens."""
        return frozenset({cls.REMOVAL, cls.REMOVAL_EVERYWHERE, cls.BUNDLE_WITHDRAWN, cls.ENDING, cls.LEAVER})


class Guard(TextChoices):
    """What is looked at in a plan as a whole. Rows of rules name these values."""

    GROUP_REMOVALS = "group_removals", _("many leave one group")
    CHANGE_REMOVALS = "change_removals", _("many leave by one change")
    EMPTY_GROUP = "empty_group", _("a group is left empty")
    LAST_MANAGER = "last_manager", _("the last manager goes")
    MANAGED_ELSEWHERE = "managed_elsewhere", _("the group is managed elsewhere")
    MANY_PEOPLE = "many_people", _("many people are concerned")
    ADMINISTERS = "administers", _("somebody rises in a group that administers")
    OLD_READING = "old_reading", _("people leave a group that was not read completely of late")
    EVERY_CHANGE = "every_change", _("any change at all")


class GuardLevel(TextChoices):
    """What a guard does where it strikes, from the mildest to the strictest."""

    OFF = "off", _("off")
    WARN = "warn", _("warns")
    APPROVAL = "approval", _("asks for approval")
    FORBID = "forbid", _("forbids")

    @property
    def rank(self) -> int:
        return list(GuardLevel).index(self)


class DecisionKind(TextChoices):
    """What somebody decided about exactly one plan."""

    OVERRIDDEN = "overridden", _("guards overridden")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
