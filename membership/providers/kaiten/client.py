"""Kaiten: calls, judgement, check. The token is made by hand and never renewed.

The base URL is the company's own host. Facts, each with its source and mark, are in docs/providers/kaiten.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from membership.errors import Reason
from membership.providers import answers, values, words
from membership.providers.base import (
    AccountRef,
    Ambiguous,
    Capabilities,
    CheckResult,
    CredentialStore,
    Door,
    GroupRef,
    ParticipantRef,
    Reader,
    RemoteAccount,
    RemoteAnswer,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
    RemotePlace,
    Role,
    Verdict,
    Wanted,
)
from membership.providers.checking import on_first_contact, works
from membership.providers.errors import Incomplete, Misconfigured, NotFound, NotSignedIn, Refused
from membership.providers.judging import judge_common, said
from membership.providers.kaiten.fields import OPTIONS, SECRETS
from membership.providers.kaiten.reading import KaitenReadings
from membership.providers.options import with_defaults

# The reference pages list both for every call, also for those without a body.
HEADERS = (("Accept", "application/json"), ("Content-Type", "application/json"))

SUCCESS = frozenset({200, 201, 204})


class Kaiten:
    """The `Provider` for Kaiten."""

    kind = "kaiten"
    options = OPTIONS
    secrets = SECRETS
    capabilities = Capabilities()

    def __init__(
        self, door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        self._door = door
        self._store = store
        self._now = now
        self._root = tuple(with_defaults(OPTIONS, options)["api_path"].split("/"))
        self._readings = KaitenReadings(self._open, root=self._root, headers=HEADERS)

    # calls

    def send(self, call: RemoteCall, *, send_before: float | None = None) -> RemoteAnswer:
        return self._door.send(call, credentials=self._credentials(), send_before=send_before)

    def add(self, group: GroupRef, account: AccountRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """To the members, and for a manager to the admins too: whether those are members by that is not documented.

        Sources: vendor's reference pages POST /groups/{uid}/users and POST /groups/{uid}/admins.
        """
        lists = ("users", "admins") if wanted.role is Role.MANAGER else ("users",)
        body = {"user_id": values.as_number(account.remote_id)}
        return tuple(
            RemoteCall("POST", (*self._root, "groups", group.remote_id, each), body=body, headers=HEADERS)
            for each in lists
        )

    def remove(self, participant: ParticipantRef) -> tuple[RemoteCall, ...]:
        """From each list that the account is on; no body. The rights go first, so that half a removal leaves less.

        Source: vendor's reference page DELETE /groups/{group_uid}/users/{user_id}, and its sibling for admins.
        """
        lists = ("admins",) if participant.is_manager else ()
        if participant.is_member or not participant.is_manager:
            lists = (*lists, "users")
        group = participant.group.remote_id
        return tuple(
            RemoteCall("DELETE", (*self._root, "groups", group, each, participant.remote_id), headers=HEADERS)
            for each in lists
        )

    # judgement

    def judge(self, call: RemoteCall, answer: RemoteAnswer) -> Verdict:
        self._raise_common(call, answer)
        if answer.status in SUCCESS:
            return success(call, answer)
        if 200 <= answer.status < 300 or answer.status == 409:
            return Verdict.LOOK
        if answer.status == 404:
            # Group gone, or not a member of it: the answer does not say which.
            if call.method == "DELETE":
                return Verdict.LOOK
            raise NotFound(Reason.NOT_FOUND, status=404, said=self.said(answer))
        if answer.status == 400 and call.method == "POST":
            return Verdict.LOOK
        raise Refused(Reason.REMOTE_SAID_NO, status=answer.status, said=self.said(answer))

    def said(self, answer: RemoteAnswer) -> str:
        return said(self._scrubbed(answer))

    def _scrubbed(self, answer: RemoteAnswer) -> RemoteAnswer:
        return words.without_secrets(answer, [self._store.get("token")])

    def _raise_common(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        judge_common(self._scrubbed(answer), call.is_write, now=self._now())
        if answer.status == 401:
            raise Misconfigured(Reason.TOKEN_NOT_ACCEPTED, said=self.said(answer))
        if answer.status == 402:
            raise Misconfigured(Reason.TARIFF, said=self.said(answer))
        if answer.status == 403:
            raise Refused(Reason.FORBIDDEN, status=403, said=self.said(answer))

    @contextmanager
    def _open(self, call: RemoteCall) -> Iterator[Reader]:
        with self._door.read(call, credentials=self._credentials()) as reader:
            if reader.status != 200:
                self._raise_unread(call, reader.answer())
            yield reader

    def _raise_unread(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        if answer.status == 403:
            raise Incomplete(Reason.WEAK_TOKEN, status=403, said=self.said(answer))
        self._raise_common(call, answer)
        if answer.status == 404:
            raise NotFound(Reason.NOT_FOUND, status=404)
        if 200 <= answer.status < 300:
            raise Incomplete(Reason.ANSWER_UNEXPECTED, status=answer.status)
        raise Refused(Reason.REMOTE_SAID_NO, status=answer.status, said=self.said(answer))

    # readings

    def groups(self) -> Iterator[RemoteGroup]:
        return self._readings.groups()

    def accounts(self) -> Iterator[RemoteAccount]:
        return self._readings.accounts()

    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]:
        return self._readings.participants(group)

    def get_group(self, group: GroupRef) -> RemoteGroup:
        return self._readings.get_group(group)

    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]:
        return self._readings.find(group, subjects)

    def find_added(
        self,
        group: GroupRef,
        account: AccountRef,
        known_before: Iterable[str],  # there once or not at all, so it does not matter
    ) -> RemoteParticipant | Ambiguous | None:
        return self._readings.find_account(group, account)

    def places(self, account: AccountRef) -> Iterator[RemotePlace]:
        """Not told by the remote: `capabilities.places` is `MIRROR`."""
        raise Refused(Reason.NOT_OFFERED)

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
        findings = (("reads_groups", groups), ("reads_accounts", users), ("writes_unknown", True))
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
