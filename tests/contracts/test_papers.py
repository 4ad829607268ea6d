import re
from pathlib import Path

import pytest

from membership.providers import inwendo, kaiten, mudbase
from membership.providers.inwendo import bodies
from tests.contracts.pages import PAGES

pytestmark = pytest.mark.pure

PAPERS = Path(__file__).resolve().parents[2] / "docs" / "providers"


def paper(kind):
    return (PAPERS / f"{kind}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("kind", "module"), [("inwendo", inwendo), ("mudbase", mudbase), ("kaiten", kaiten)])
def test_the_paper_of_a_provider_names_each_option_and_secret(kind, module):
    text = paper(kind)
    assert [field.key for field in (*module.OPTIONS, *module.SECRETS) if f"`{field.key}`" not in text] == []


@pytest.mark.parametrize("name", list(PAGES))
def test_the_paper_of_a_provider_names_each_write(name):
    text = re.sub(r"\{[^}]*\}", "{}", paper(name.split(":")[0])).replace("…", "/groups/{}")
    page = PAGES[name]
    path = re.sub(r"\{[^}]*\}", "{}", page.path).removeprefix("/api/latest")
    assert path in text
    assert page.method in text


@pytest.mark.parametrize("key", sorted({*bodies.NEWER_ROW, "deleted", "avatar_token", "chatroom", "person"}))
def test_the_paper_of_inwendo_says_of_each_key_whether_it_is_written(key):
    assert f"`{key}`" in paper("inwendo") or f"`{key}." in paper("inwendo")
