import pytest
from django.core.management import load_command_class

pytestmark = pytest.mark.pure
COMMANDS = ("audit", "connect", "demo", "password", "roster", "rotate_secrets", "sandbox", "serve", "sync", "worker")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_one_screen(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = load_command_class("membership", name).create_parser("manage.py", name).format_help()
    assert len(text.splitlines()) <= 24, text
