"""One installation in one folder: what runs, in which order it is made ready, and what is said about it."""

import http.client
import io
import ipaddress
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from membership.management import prepare as preparing
from membership.management.base import need_database
from membership.management.ports import kept_port_base
from membership.management.supervisor import Program, Say, Supervisor
from membership.models import Connection
from membership.services.panel_users import create_first_owner, first_user_name

WEB_WORKERS, WEB_THREADS = 2, 4


def serve(say: Say, *, prepare: bool, demo: str) -> None:
    """Run until a signal asks for the end. Raises `CommandError` with one sentence when it cannot begin."""
    var = Path(settings.VAR_DIR)
    lock = preparing.hold_folder(var)
    preparing.check_port(settings.BIND, settings.PORT)
    welcome = [f"  Musterbook: {settings.PUBLIC_URL}/"]
    if prepare:
        preparing.migrate()
        preparing.collect_static()
        welcome += _log_in_lines()
    need_database()
    _check()
    programs = [Program("web", web_command()), Program("worker", manage("worker"))]
    if wants_demo(demo, var):
        state = var / "sandbox"
        ports = ("--port-base", str(kept_port_base(state / "port")))
        programs.insert(0, Program("sandbox", manage("sandbox", "--quiet", "--demo", "--state", str(state), *ports)))
        programs.append(Program("demo", manage("demo", *ports), once=True))
        welcome.append("  The demo is being loaded …")
    supervisor = Supervisor(programs, Path(settings.BASE_DIR), say, when_started=_Greeting(say, welcome).say_once)
    supervisor.run()
    say("Everything has ended.")
    lock.close()


def wants_demo(choice: str, var: Path) -> bool:
    """`auto`: where it was loaded before, or nothing is connected yet. Real systems never get company unasked."""
    if choice == "auto":
        return (var / "sandbox" / "port").exists() or not Connection.objects.exists()
    return choice == "1"


def manage(*words: str) -> tuple[str, ...]:
    return (sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *words)


def web_command() -> tuple[str, ...]:
    host = f"[{settings.BIND}]" if ":" in settings.BIND else settings.BIND
    return (
        *(sys.executable, "-m", "gunicorn", "project.wsgi:application", "--bind", f"{host}:{settings.PORT}"),
        *("--worker-class", "gthread", "--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS)),
        *("--graceful-timeout", "6", "--timeout", "60", "--log-level", "warning", "--no-control-socket"),
    )


def _log_in_lines() -> list[str]:
    made = create_first_owner()
    if made is not None:
        user, password = made
        once = "shown once; `make password` sets a new one"
        return [f"  Log-in:     {user.get_username()}", f"  Password:   {password}   ({once})"]
    return [f"  Log-in:     {first_user_name()}   (`make password` sets a new password)"]


def _check() -> None:
    try:
        call_command("check", databases=["default"], stdout=io.StringIO())  # says nothing when all is well
    except SystemCheckError as error:
        raise CommandError(str(error)) from error


class _Greeting:
    """Says the address once the panel answers."""

    def __init__(self, say: Say, lines: list[str]) -> None:
        self._say = say
        self._lines = lines

    def say_once(self) -> bool:
        if not answers(settings.BIND, settings.PORT):
            return False
        self._say("\n" + "\n".join(self._lines) + "\n")
        return True


def answers(bind: str, port: int) -> bool:
    """Whether the panel answers on this machine."""
    connection = http.client.HTTPConnection(_where_to_ask(bind), port, timeout=1)
    try:
        connection.request("GET", "/healthz", headers={"Host": settings.ALLOWED_HOSTS[0]})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _where_to_ask(bind: str) -> str:
    """An address of this machine for one that means all of its addresses."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return bind
    if not address.is_unspecified:
        return bind
    return "127.0.0.1" if address.version == 4 else "::1"
