"""Mudbase: calls, judgement, sign-in with rotating tokens.

The base URL is configurable: the vendor's own pages name two. Facts, each with its source and mark, are in
docs/providers/mudbase.md.
"""

from collections.abc import Callable, Mapping, Sequence

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
from membership.providers.errors import Misconfigured, NotSent, NotSignedIn, Refused, Throttled
from membership.providers.judging import judge_common
from membership.providers.mudbase import parse
from membership.providers.mudbase.fields import KEPT, OPTIONS, SECRETS
from membership.providers.mudbase.reading import MudbaseReadings
from membership.providers.options import with_defaults

LOG_IN = ("api", "auth", "local", "login")
REFRESH = ("api", "auth", "refresh")

REMOVED = "Participant removed successfully"

# 400 is documented for both writes, and may as well mean "already so"; 404, 409 and 410 are not documented for them.
AMBIGUOUS = frozenset({400, 404, 409, 410})


class Mudbase(Client):
    """The `Provider` for Mudbase."""

    kind = "mudbase"
    _readings: MudbaseReadings
    options = OPTIONS
    secrets = SECRETS
    capabilities = Capabilities(
        kept=KEPT,
        renewable=True,
        tells_gone=False,
        rights=frozenset({"is_manager"}),
        rights_on_add=frozenset({"is_manager"}),
        create_group=True,
        members_on_create=True,
    )
    _never_said = ("token", "refresh_token", "password")

    def __init__(
        self, door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        super().__init__(door, store, now)
        self._options = with_defaults(OPTIONS, options)
        project, org = self._options["project_id"], self._options["org_id"]
        self._chats = ("api", "chat", "projects", project, "chats")
        self._readings = MudbaseReadings(
            self._open, chats=self._chats, users=("api", "orgs", org, "projects", project, "users")
        )

    # calls

    def add(self, group: GroupRef, account: AccountRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """Source: vendor's reference page POST /api/chat/projects/{projectId}/chats/{chatId}/participants."""
        offers.require_for_addition(self.capabilities, wanted)
        role = parse.ADMIN if wanted.is_manager else parse.MEMBER
        return (self._participants_call("POST", group, {"userId": account.remote_id, "role": role}),)

    def update(self, participant: ParticipantRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """Out, and in again with the other role: no page knows a change of role, nor what a second addition does."""
        offers.require_for_update(self.capabilities, wanted)
        if wanted.is_manager is None or wanted.is_manager == participant.is_manager:
            return ()
        wanted = Wanted(is_manager=wanted.is_manager)
        return (*self.remove(participant), *self.add(participant.group, AccountRef(participant.remote_id), wanted))

    def remove(self, participant: ParticipantRef) -> tuple[RemoteCall, ...]:
        """A DELETE with a JSON body.

        Source: vendor's reference page DELETE /api/chat/projects/{projectId}/chats/{chatId}/participants.
        """
        return (self._participants_call("DELETE", participant.group, {"userId": participant.remote_id}),)

    def _participants_call(self, method: str, group: GroupRef, body: Mapping[str, Json]) -> RemoteCall:
        path = (*self._chats, group.remote_id, "participants")
        return RemoteCall(method, path, body=dict(body), headers=answers.JSON_BODY)

    def create_group(self, name: str, members: Sequence[AccountRef] = ()) -> tuple[RemoteCall, ...]:
        """A chat of type "group", with our own account in it as the one who makes it.

        Source: vendor's reference page POST /api/chat/projects/{projectId}/chats.
        """
        body = {
            "name": offers.group_name(self.capabilities, name),
            "type": "group",
            "participants": [member.remote_id for member in members],
        }
        return (RemoteCall("POST", self._chats, body=body, headers=answers.JSON_BODY),)

    # judgement

    def judge(self, call: RemoteCall, answer: RemoteAnswer) -> Verdict:
        self._raise_common(call, answer)
        makes_chat = call.path == self._chats
        if answer.status in AMBIGUOUS and not (makes_chat and answer.status == 400):
            return Verdict.LOOK
        if not 200 <= answer.status < 300:
            raise Refused(Reason.REMOTE_SAID_NO, status=answer.status, said=self.said(answer))
        given = answers.body_object(answer)
        if makes_chat:
            proven = creation_is_proven(call, given)
        elif call.method == "DELETE":
            proven = removal_is_proven(given)
        else:
            proven = participant_in_answer(call, given) is not None
        return Verdict.CONFIRMED if proven else Verdict.LOOK

    def added(
        self, call: RemoteCall, answer: RemoteAnswer, group: GroupRef, account: AccountRef
    ) -> RemoteParticipant | None:
        return participant_in_answer(call, answers.body_object(answer))

    def created(self, call: RemoteCall, answer: RemoteAnswer) -> RemoteGroup:
        return parse.chat(values.inner(answers.body_object(answer), "data"))

    def _raise_common(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        judge_common(self._scrubbed(answer), call.is_write, now=self._now())
        if answer.status == 401:
            raise NotSignedIn(Reason.TOKEN_NOT_ACCEPTED)
        if answer.status == 403:
            raise Refused(Reason.FORBIDDEN, status=403, said=self.said(answer))

    # signing in

    def sign_in(self) -> None:
        """Log in anew. Source: vendor's reference page POST /api/auth/local/login (five log-ins in 15 minutes)."""
        body = {
            "email": self._options["email"],
            "password": answers.require(self._store, "password"),
            "projectId": self._options["project_id"],
        }
        self._store.note_sign_in()
        answer = self._authenticate(LOG_IN, body)
        if answer.status == 404:
            raise Misconfigured(Reason.WRONG_ADDRESS)
        if answer.status != 200:
            raise Misconfigured(Reason.SIGN_IN_REFUSED, status=answer.status, said=self.said(answer))
        given = answers.body_object(answer)
        self._store.save(tokens(given) | {"own_account_id": parse.user_id(given.get("user")) or ""})

    def renew(self) -> None:
        """Trade the refresh token for new tokens, which are stored before any is used.

        A refresh token counts once: sent a second time, it ends the session. So it is never sent unless the store has
        committed that a renewal begins, and one whose renewal never ended is never sent again: then a log-in is due.
        Source: vendor's reference page POST /api/auth/refresh.
        """
        refresh_token = self._store.get("refresh_token")
        if not refresh_token or not self._store.begin_renewal():
            self.sign_in()
            return
        try:
            answer = self._authenticate(REFRESH, {"refreshToken": refresh_token})
        except (NotSent, Throttled):
            self._store.save({})  # provably not spent: the renewal ends as it began
            raise
        if answer.status == 200:
            self._store.save(tokens(answers.body_object(answer)))
        else:
            self.sign_in()

    def is_signed_in(self) -> bool:
        return bool(self._store.get("token"))

    def _authenticate(self, path: tuple[str, ...], body: Mapping[str, Json]) -> RemoteAnswer:
        call = RemoteCall("POST", path, body=dict(body), headers=answers.JSON_BODY)
        answer = self._door.send(call, credentials={})
        judge_common(self._scrubbed(answer), call.is_write, now=self._now())
        return answer

    def check(self) -> CheckResult:
        own_id = self._store.get("own_account_id")
        with on_first_contact():
            self._readings.chat_page(1, limit=1)
        reads_accounts = works(self._readings.first_account)
        if not own_id:
            found: list[str | None] = []
            works(lambda: found.append(self._readings.own_id()))
            own_id = next(filter(None, found), "")
        findings = (
            ("reads_groups", True),
            ("reads_accounts", reads_accounts),
            ("own_groups_only", True),
            ("writes_unknown", True),
        )
        return CheckResult(own_account_id=own_id or None, findings=findings)

    # credentials

    def _credentials(self) -> dict[str, str]:
        token = self._store.get("token")
        if not token:
            raise NotSignedIn(Reason.TOKEN_NOT_ACCEPTED)
        return {"Authorization": f"Bearer {token}"}


def removal_is_proven(given: Mapping[str, Json]) -> bool:
    """The documented sentence. There is no envelope here; any other sentence may say anything."""
    return given.get("message") == REMOVED and values.flag(given, "success") is not False and not given.get("error")


def participant_in_answer(call: RemoteCall, given: Mapping[str, Json]) -> RemoteParticipant | None:
    """The user among the participants of the answer, in the wanted role. Whether all are listed is unknown."""
    rows = values.inner(given, "data").get("participants")
    if values.flag(given, "success") is False or not isinstance(rows, list):
        return None
    for row in rows:
        is_wanted = isinstance(row, dict) and row.get("role") == call.body["role"]
        if is_wanted and parse.user_id(row) == call.body["userId"]:
            return parse.participant(row)
    return None


def creation_is_proven(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    """A chat with an id and the wanted name, and with everybody in it who was wanted."""
    data = values.inner(given, "data")
    rows = data.get("participants")
    shown = {parse.user_id(row) for row in rows} if isinstance(rows, list) else set()
    return (
        values.flag(given, "success") is not False
        and values.is_id(data.get("_id"))
        and data.get("name") == call.body["name"]
        and shown.issuperset(call.body["participants"])
    )


def tokens(given: Mapping[str, Json]) -> dict[str, str]:
    """Both tokens of a log-in or renewal. Raises `Misconfigured` when there is none to use."""
    token = values.text(given, "token", 10_000)
    if not token:
        raise Misconfigured(Reason.SIGN_IN_REFUSED)
    return {"token": token, "refresh_token": values.text(given, "refreshToken", 10_000)}
