"""Kaiten: calls, judgement, check. The token is made by hand and never renewed.

The base URL is the company's own host. Facts, each with its source and mark, are in docs/providers/kaiten.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from membership.errors import Reason
from membership.providers import answers, offers, values
from membership.providers.base import (
    AccountRef,
    Capabilities,
    CheckResult,
    CredentialStore,
    Door,
    GroupRef,
    Json,
    OutsideEvent,
    ParticipantRef,
    RemoteAnswer,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
    Verdict,
    Wanted,
)
from membership.providers.checking import on_first_contact, works
from membership.providers.client import Client
from membership.providers.errors import Misconfigured, NotFound, NotSignedIn, Refused
from membership.providers.judging import judge_common
from membership.providers.kaiten import parse
from membership.providers.kaiten.fields import KEPT, OPTIONS, SECRETS
from membership.providers.kaiten.reading import KaitenReadings
from membership.providers.options import with_defaults

# The reference pages list both for every call, also for those without a body.
HEADERS = (("Accept", "application/json"), ("Content-Type", "application/json"))

SUCCESS = frozenset({200, 201, 204})

# Groups themselves stand here, their two lists below ("groups", uid).
GROUPS = ("company", "groups")


class Kaiten(Client):
    """The `Provider` for Kaiten."""

    kind = "kaiten"
    _readings: KaitenReadings
    options = OPTIONS
    secrets = SECRETS
    capabilities = Capabilities(
        kept=KEPT,
        rights=frozenset({"is_manager"}),
        rights_on_add=frozenset({"is_manager"}),
        create_group=True,
        rename_group=True,
        delete_group=True,
        group_name_max=512,  # documented
        tells_actor=True,
    )
    _never_said = ("token",)
    _gone = frozenset({404})

    def __init__(
        self, door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        super().__init__(door, store, now)
        self._root = tuple(with_defaults(OPTIONS, options)["api_path"].split("/"))
        self._readings = KaitenReadings(self._open, root=self._root, headers=HEADERS)

    # calls

    def add(self, group: GroupRef, account: AccountRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """To the members, and for a manager to the admins too: whether those are members by that is not documented.

        Sources: vendor's reference pages POST /groups/{uid}/users and POST /groups/{uid}/admins.
        """
        offers.require_for_addition(self.capabilities, wanted)
        lists = ("users", "admins") if wanted.is_manager else ("users",)
        return tuple(self._put_on(each, group, account.remote_id) for each in lists)

    def update(self, participant: ParticipantRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """Onto the admins, or off them. An admin who is no member becomes one first, and so is never out of the group.

        Sources: vendor's reference pages POST /groups/{uid}/admins and DELETE /groups/{uid}/admins/{user id}.
        """
        offers.require_for_update(self.capabilities, wanted)
        if wanted.is_manager is None or wanted.is_manager == participant.is_manager:
            return ()
        group, user_id = participant.group, participant.remote_id
        if wanted.is_manager:
            return (self._put_on("admins", group, user_id),)
        first = () if participant.is_member else (self._put_on("users", group, user_id),)
        return (*first, self._take_off("admins", group, user_id))

    def remove(self, participant: ParticipantRef) -> tuple[RemoteCall, ...]:
        """From each list that the account is on; no body. The rights go first, so that half a removal leaves less.

        Source: vendor's reference page DELETE /groups/{group_uid}/users/{user_id}, and its sibling for admins.
        """
        lists = ("admins",) if participant.is_manager else ()
        if participant.is_member or not participant.is_manager:
            lists = (*lists, "users")
        return tuple(self._take_off(each, participant.group, participant.remote_id) for each in lists)

    def _put_on(self, which: str, group: GroupRef, user_id: str) -> RemoteCall:
        return self._call("POST", ("groups", group.remote_id, which), {"user_id": values.as_number(user_id)})

    def _take_off(self, which: str, group: GroupRef, user_id: str) -> RemoteCall:
        return self._call("DELETE", ("groups", group.remote_id, which, user_id))

    def _call(self, method: str, path: tuple[str, ...], body: Json = None) -> RemoteCall:
        return RemoteCall(method, (*self._root, *path), body=body, headers=HEADERS)

    def create_group(self, name: str, members: Sequence[AccountRef] = ()) -> tuple[RemoteCall, ...]:
        """Without members: they are added one by one. Source: vendor's reference page POST /company/groups."""
        if members:
            raise Refused(Reason.NOT_OFFERED, key="members")
        return (self._call("POST", GROUPS, {"name": offers.group_name(self.capabilities, name)}),)

    def rename_group(self, group: GroupRef, name: str) -> tuple[RemoteCall, ...]:
        """Source: vendor's reference page PATCH /company/groups/{uid}; keys that are left out stay as they are."""
        return (self._call("PATCH", (*GROUPS, group.remote_id), {"name": offers.group_name(self.capabilities, name)}),)

    def delete_group(self, group: GroupRef) -> tuple[RemoteCall, ...]:
        """Source: vendor's reference page DELETE /company/groups/{uid}; what its members lose is not documented."""
        return (self._call("DELETE", (*GROUPS, group.remote_id)),)

    # judgement

    def judge(self, call: RemoteCall, answer: RemoteAnswer) -> Verdict:
        self._raise_common(call, answer)
        is_about_group = call.path[len(self._root) :][: len(GROUPS)] == GROUPS
        if answer.status in SUCCESS:
            return success_of_group(call, answer) if is_about_group else success(call, answer)
        if 200 <= answer.status < 300 or answer.status == 409:
            return Verdict.LOOK
        if answer.status == 404:
            # Group gone, or not a member of it: the answer does not say which. A group deleted twice is gone, too.
            if call.method == "DELETE":
                return Verdict.LOOK
            raise NotFound(Reason.NOT_FOUND, status=404, said=self.said(answer))
        if answer.status == 400 and call.method == "POST" and not is_about_group:
            return Verdict.LOOK
        raise Refused(Reason.REMOTE_SAID_NO, status=answer.status, said=self.said(answer))

    def added(
        self, call: RemoteCall, answer: RemoteAnswer, group: GroupRef, account: AccountRef
    ) -> RemoteParticipant | None:
        """The user in the answer; None where the answer is empty. On the admins only after the members."""
        if not answer.body.strip():
            return None
        return parse.participant(answers.body_object(answer), is_member=True, is_manager=call.path[-1] == "admins")

    def created(self, call: RemoteCall, answer: RemoteAnswer) -> RemoteGroup:
        return parse.group(answers.body_object(answer))

    def _raise_common(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        judge_common(self._scrubbed(answer), call.is_write, now=self._now())
        if answer.status == 401:
            raise Misconfigured(Reason.TOKEN_NOT_ACCEPTED, said=self.said(answer))
        if answer.status == 402:
            raise Misconfigured(Reason.TARIFF, said=self.said(answer))
        if answer.status == 403:
            raise Refused(Reason.FORBIDDEN, status=403, said=self.said(answer))

    def outside_events(self, since: float, until: float) -> Iterator[OutsideEvent]:
        return self._readings.outside_events(since, until)

    # signing in

    def sign_in(self) -> None:
        """Nothing is sent: the token is what was typed."""
        answers.require(self._store, "token")

    def renew(self) -> None:
        raise Misconfigured(Reason.TOKEN_NOT_ACCEPTED)

    def is_signed_in(self) -> bool:
        return bool(self._store.get("token"))

    def check(self) -> CheckResult:
        """Source of GET /users/current: vendor's reference page."""
        with on_first_contact():
            own_id = self._readings.own_id()
        groups = works(lambda: self._readings.first_row(("company", "groups")))
        users = works(lambda: self._readings.first_row(("company", "users"), (("for_members_section", "true"),)))
        log = works(lambda: self._readings.first_row(("audit-logs",)))
        findings = (
            ("reads_groups", groups),
            ("reads_accounts", users),
            ("reads_own_log", log),
            ("writes_unknown", True),
        )
        return CheckResult(own_account_id=own_id, findings=findings)

    # credentials

    def _credentials(self) -> dict[str, str]:
        token = self._store.get("token")
        if not token:
            raise NotSignedIn(Reason.TOKEN_NOT_ACCEPTED)
        return {"Authorization": f"Bearer {token}"}


def success(call: RemoteCall, answer: RemoteAnswer) -> Verdict:
    """Proven by the user in the answer, or by an empty answer to a call that names the user itself."""
    if not answer.body.strip():
        return Verdict.CONFIRMED
    given = answers.body_object(answer)
    asked_for = call.path[-1] if call.method == "DELETE" else call.body["user_id"]
    return Verdict.CONFIRMED if str(given.get("id")) == str(asked_for) else Verdict.LOOK


def success_of_group(call: RemoteCall, answer: RemoteAnswer) -> Verdict:
    """Proven by the group in the answer, with the wanted name; a deletion names the group itself and may be empty."""
    if not answer.body.strip():
        return Verdict.CONFIRMED if call.method == "DELETE" else Verdict.LOOK
    given = answers.body_object(answer)
    uid, name = given.get("uid"), given.get("name")
    if call.method == "DELETE":
        is_proven = uid == call.path[-1]
    elif call.method == "PATCH":
        is_proven = uid == call.path[-1] and name == call.body["name"]
    else:
        is_proven = values.is_id(uid) and name == call.body["name"]
    return Verdict.CONFIRMED if is_proven else Verdict.LOOK
