"""The demo: a club, a chat project and a company that share their people. The same one each time.

About 60 groups with 2,000 participants of 400 humans, many of whom are in several systems under the same e-mail; the
reference pages' own ids; and one of each thing that a panel must bear.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from membership.sandbox.demo_names import CAST, CHATS, GROUPS, ROOMS, Human, humans
from membership.sandbox.inwendo_state import InwendoState
from membership.sandbox.kaiten_state import DEACTIVATED, OWNER, KaitenState
from membership.sandbox.mudbase_state import MudbaseState
from membership.sandbox.sandbox import Sandbox
from membership.sandbox.state import State

HUMANS = 400
# What a panel mirrors: inwendo rows not soft-deleted, members of chats that the service account sees, and who is on
# either list of a Kaiten group.
PARTICIPANTS = {"inwendo": 900, "mudbase": 450, "kaiten": 650}

INWENDO_USER, INWENDO_PASSWORD, INWENDO_KEY = "musterbook", "inwendo-demo", "eyJhbGciOiJIUzI1NiJ9.demo.inwendo"
MUDBASE_ORG, MUDBASE_PROJECT, MUDBASE_CHAT = "org_northwind", "proj_CE5hbCg5EPjP", "VL0TZudKjN6SiWtV"
MUDBASE_SERVICE, MUDBASE_EMAIL, MUDBASE_PASSWORD = "usr_musterbook", "musterbook@northwind.example", "mudbase-demo"
MUDBASE_EXAMPLES = ("usr_CuXGNqCoY9JGW0", "usr_l6ZF362tQSr4nE")
KAITEN_TOKEN = "5b1f4c1e-7a0c-4f5e-9d53-0de300000001"  # noqa: S105 - a UUID, as on the reference pages
KAITEN_WEAK_TOKEN = "5b1f4c1e-7a0c-4f5e-9d53-0de300000002"  # noqa: S105
KAITEN_EXAMPLE_GROUP = "0a2f6c34-3d0f-4a1b-8a57-5b6f1d2e3c4a"


@dataclass(frozen=True, slots=True)
class DemoConnection:
    """All that is needed to connect one system of the demo."""

    provider: str
    name: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


def fill_demo(sandbox: Sandbox) -> tuple[DemoConnection, ...]:
    """Fill what is empty; what is not keeps its data. Each remote is filled in one transaction."""
    everybody = humans(HUMANS)
    fills: tuple[tuple[State, Callable[[], None]], ...] = (
        (sandbox.inwendo.state, lambda: _fill_inwendo(sandbox.inwendo.state, everybody)),
        (sandbox.mudbase.state, lambda: _fill_mudbase(sandbox.mudbase.state, everybody)),
        (sandbox.kaiten.state, lambda: _fill_kaiten(sandbox.kaiten.state, everybody)),
    )
    for state, fill in fills:
        if state.is_empty:
            with state.changing():
                fill()
    return describe_demo({server.kind: server.url for server in sandbox.servers})


def describe_demo(urls: Mapping[str, str]) -> tuple[DemoConnection, ...]:
    """The demo's systems at these addresses: `{kind: url}`."""
    return (
        DemoConnection(
            "inwendo",
            "Sportverein",
            urls["inwendo"],
            {"auth": "login", "username": INWENDO_USER},
            {"password": INWENDO_PASSWORD},
        ),
        DemoConnection(
            "mudbase",
            "Northwind chat",
            urls["mudbase"],
            {"project_id": MUDBASE_PROJECT, "org_id": MUDBASE_ORG, "email": MUDBASE_EMAIL},
            {"password": MUDBASE_PASSWORD},
        ),
        DemoConnection("kaiten", "Kaiten", urls["kaiten"], {}, {"token": KAITEN_TOKEN}),
    )


def _fill_inwendo(state: InwendoState, everybody: Sequence[Human]) -> None:
    here = [human for human in everybody if human.number < len(CAST) or human.number % 10 != 9]
    for human in here:
        state.add_person(
            human.first,
            human.last,
            # Some typed their address in capitals, some have none.
            email=None if human.number % 29 == 28 else human.email.upper() if human.number % 17 == 16 else human.email,
            archived=human.number % 41 == 40,
            phone=f"+49 30 {human.number:06}" if human.number % 3 == 0 else None,
            extra={"birthday": "2012-02-29", "allergies": "Nüsse"} if human.number % 50 == 49 else None,
        )
    service = state.add_person("Musterbook", "Dienstkonto", email="musterbook@verein.example")
    user = state.add_user("Musterbook", INWENDO_USER, INWENDO_PASSWORD, email=service.email, crm_person=service.id)
    for human, person in zip(here[:12], state.people, strict=False):
        state.add_user(human.name, f"user{human.number}", "x", email=human.email, crm_person=person.id)
    state.issue_api_key(user.id, key=INWENDO_KEY)
    company = state.add_company("Bäckerei Körner & Töchter GmbH", invoice_email="rechnung@koerner.example")

    # The reference pages' example: row 42 in chatroom 42.
    state.add_room("Schachklub", id=42)
    look = {"nickname": "Countess", "preferred_color_hex": "#7b1fa2", "avatar_token": "avatar-42"}
    state.add_participant(42, id=42, person=1, **look)
    rooms = [state.add_room(name) for name in ROOMS]
    archived = state.add_room("Weihnachtsfeier 2024", deleted=True)
    for room in rooms[:10]:
        state.add_participant(room.id, person=service.id, room_admin=True)
    ai: dict[str, Any] = {"ai_prompt": "You are the club's helper.", "ai_auto_close_secret_word": "Sesam"}
    state.add_participant(
        42,
        participant_type="ai",
        first_name="KI",
        last_name="Assistent",
        auto_created=True,
        auto_reply=True,
        ai_number_of_context_messages=20,
        **ai,
    )
    state.add_participant(42, participant_type="guest", first_name="Gast", last_name="ohne Person", can_write=False)
    state.add_participant(rooms[0].id, participant_type="company", company=company.id, first_name=company.company_name)
    state.add_participant(
        rooms[1].id, participant_type="eventSignUp", event_sign_up=7, first_name="Anmeldung", last_name="7"
    )

    people = [person.id for person in state.people if person.id != service.id]
    targets = [42, *(room.id for room in rooms), archived.id]
    missing = PARTICIPANTS["inwendo"] - sum(not row.deleted for row in state.participants)
    for position, (room_id, count) in enumerate(zip(targets, _shares(missing, len(targets)), strict=True)):
        taken = {row.person for row in state.live(room_id)}
        for turn, person_id in enumerate(_chosen([each for each in people if each not in taken], count, position)):
            state.add_participant(
                room_id,
                person=person_id,
                room_admin=turn < 2,
                can_write=turn % 11 != 10,
                is_muted=turn % 13 == 12,
                auto_created=turn % 17 == 16,
                last_read_at=_ago(state, hours=position * 7 + turn) if turn % 5 else None,
            )
        if position % 3 == 0:  # somebody left long ago: the row is still there
            gone = state.add_participant(room_id, person=people[-1 - position], last_read_at=_ago(state, hours=9000))
            state.remove_by_hand(gone.id)


def _fill_mudbase(state: MudbaseState, everybody: Sequence[Human]) -> None:
    state.add_project(MUDBASE_PROJECT, org=MUDBASE_ORG, name="Northwind")
    own = {"project": MUDBASE_PROJECT}
    state.add_user(
        "Musterbook", "Service", id=MUDBASE_SERVICE, email=MUDBASE_EMAIL, password=MUDBASE_PASSWORD, role="admin", **own
    )
    here = [human for human in everybody if human.number % 10 < 6]
    for turn, human in enumerate(here):
        user_id = MUDBASE_EXAMPLES[turn] if turn < len(MUDBASE_EXAMPLES) else f"usr_{human.number:014}"
        status = "suspended" if human.number % 37 == 36 else "pending" if human.number % 43 == 42 else "active"
        state.add_user(human.first, human.last, id=user_id, email=human.email, account_status=status, **own)
    state.add_user(None, None, id="usr_anonymous00001", is_anonymous=True, **own)
    # Ids that a URL cannot carry. Such users are mirrored and shown.
    state.add_user("Dot", "Dot", id="..", email="dotdot@northwind.example", **own)
    state.add_user("Slash", "Slash", id="a/b", email="slash@northwind.example", **own)

    first = state.add_chat(CHATS[0], project=MUDBASE_PROJECT, id=MUDBASE_CHAT, admin=MUDBASE_SERVICE)
    kinds = ("group", "channel", "group", "broadcast")
    chats = [
        state.add_chat(name, project=MUDBASE_PROJECT, id=f"chat{number:012}", type=kinds[number % 4])
        for number, name in enumerate(CHATS[1:], start=1)
    ]
    for chat in chats[:-1]:
        state.add_participant(chat.id, MUDBASE_SERVICE, role="admin")
    state.add_participant(chats[-1].id, MUDBASE_SERVICE)  # here it may look, not write
    for user_id in (*MUDBASE_EXAMPLES, "usr_anonymous00001", "..", "a/b"):
        state.add_participant(first.id, user_id)

    users = [user.id for user in state.users if user.id.startswith("usr_0")]
    targets = [first, *chats]
    missing = PARTICIPANTS["mudbase"] - len(state.members)
    for position, (chat, count) in enumerate(zip(targets, _shares(missing, len(targets)), strict=True)):
        for turn, user_id in enumerate(_chosen(users, count, position)):
            state.add_participant(chat.id, user_id, role="admin" if turn == 0 else "member")
    # Chats that the service account is not in: nothing at the API says that they exist.
    for number, name in enumerate(("Betriebsrat (vertraulich)", "Surprise party"), start=1):
        hidden = state.add_chat(name, project=MUDBASE_PROJECT, id=f"hidden{number:010}", admin=users[number])
        for user_id in _chosen(users[5:], 6, number):
            state.add_participant(hidden.id, user_id)


def _fill_kaiten(state: KaitenState, everybody: Sequence[Human]) -> None:
    owner = state.add_user("Владелец Компании", email="owner@company.example", role=OWNER, own_permissions=7)
    service = state.add_user("Musterbook Service", email="musterbook@company.example", own_permissions=1, shared=True)
    state.issue_token(service.id, token=KAITEN_TOKEN)
    here = [human for human in everybody if human.number % 10 in (0, 1, 2, 4, 6, 7, 9)]
    users = [state.add_user(human.name, email=human.email, **_kaiten_traits(state, human)).id for human in here]
    state.issue_token(users[3], token=KAITEN_WEAK_TOKEN)
    virtual = [state.add_user(f"Ресурс {number}", virtual=True, activated=False).id for number in range(1, 6)]

    example = state.add_group("Example group", uid=KAITEN_EXAMPLE_GROUP)
    groups = [example, *(state.add_group(name, uid=_uid(number)) for number, name in enumerate(GROUPS, start=1))]
    by_name = {group.name: group.uid for group in groups}
    state.change_group(by_name["Администраторы"], permissions=1 | 4 | 1024)  # membership makes an administrator
    state.change_group(by_name["Бухгалтерия"], permissions=2 | 256)
    state.change_group(by_name["Archiv 2024"], active=False)
    for user_id in virtual:
        state.add_member(by_name["Виртуальные ресурсы"], user_id)
    state.add_admin(example.uid, owner.id)  # manages the group without being a member: counts as a participant
    state.add_admin(example.uid, users[0])
    state.add_member(example.uid, users[0])

    present = sum(len(set(state.members(group.uid)) | set(state.admins(group.uid))) for group in groups)
    large, most = "Все сотрудники", 170  # more than one page of 100
    targets = [group for group in groups if group.name != large]
    missing = PARTICIPANTS["kaiten"] - present - most
    plan = [(by_name[large], most), *zip((g.uid for g in targets), _shares(missing, len(targets)), strict=True)]
    for position, (uid, count) in enumerate(plan):
        taken = {*state.members(uid), *state.admins(uid)}
        chosen = _chosen([each for each in users if each not in taken], count, position)
        for user_id in chosen:
            state.add_member(uid, user_id)
        if uid != example.uid:
            state.add_admin(uid, chosen[0])
    synced = by_name["Directory: Everyone"]
    state.change_group(synced, directory=state.members(synced))


def _kaiten_traits(state: KaitenState, human: Human) -> dict[str, Any]:
    traits: dict[str, Any] = {"shared": human.number % 8 == 0}
    if human.number % 31 == 30:
        traits |= {"email_blocked": _ago(state, hours=400), "email_blocked_reason": "bounce"}
    if human.number % 23 == 22:
        traits |= {"role": DEACTIVATED}
    if human.number % 67 == 66:
        traits |= {"delete_requested_at": _ago(state, hours=30)}
    return traits


def _shares(total: int, parts: int) -> list[int]:
    """Uneven sizes, each at least 3, that sum up to `total`."""
    weights = [2 + position * 5 % 11 for position in range(parts)]
    sizes = [max(3, total * weight // sum(weights)) for weight in weights]
    sizes[-1] += total - sum(sizes)
    return sizes


def _chosen(pool: Sequence[Any], count: int, turn: int) -> list[Any]:
    """`count` different ones, spread over the pool, others at each turn."""
    step = next(step for step in range(7 + turn, 7 + turn + len(pool)) if _is_coprime(step, len(pool)))
    return [pool[(turn * 17 + position * step) % len(pool)] for position in range(count)]


def _is_coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


def _uid(number: int) -> str:
    return f"6f1d0000-0000-4000-8000-{number:012}"


def _ago(state: Any, *, hours: int) -> str:
    moment = datetime.fromtimestamp(state.now(), UTC) - timedelta(hours=hours)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
