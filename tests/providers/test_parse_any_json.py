import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membership.providers import inwendo, kaiten, mudbase
from membership.providers.errors import Incomplete
from membership.providers.inwendo import parse as inwendo_parse
from membership.providers.kaiten import parse as kaiten_parse
from membership.providers.mudbase import parse as mudbase_parse

NAMES = """
id uid _id userId user name full_name first_name last_name firstName lastName email crm_person participants chats data
total role deleted archived last_read_at crm_person_contact_data contact_data_type value sync_group permissions
room_admin avatar_token token created author author_id author_username details group_uid user_id action type
accountStatus delete_requested_at success
"""
KEYS = st.sampled_from(sorted(NAMES.split()))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=20)
TELLING = ["2026-05-04T09:42:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "a@b.c"]
VALUES = st.recursive(
    SCALARS | st.sampled_from(TELLING),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
PARSERS = [
    inwendo_parse.room,
    inwendo_parse.participant,
    lambda value: inwendo_parse.person(value, {}),
    inwendo_parse.user_email,
    lambda value: inwendo_parse.user_person(value, "panel"),
    inwendo_parse.is_deleted,
    mudbase_parse.chat,
    mudbase_parse.chat_page,
    mudbase_parse.participant,
    mudbase_parse.account,
    kaiten_parse.group,
    kaiten_parse.account,
    kaiten_parse.event,
    lambda value: kaiten_parse.participant(value, is_member=True, is_manager=False),
]


@given(value=VALUES)
def test_any_json_is_read_or_makes_the_reading_incomplete(value):
    for parser in PARSERS:
        try:
            result = parser(value)
        except Incomplete:
            continue
        for fields in (getattr(result, "attributes", {}), getattr(result, "secrets", {})):
            json.dumps(dict(fields), allow_nan=False)
        label = getattr(result, "label", "")
        assert len(label) <= 600


@pytest.mark.parametrize("module", [inwendo, mudbase, kaiten])
def test_options_and_secrets_have_labels_and_defaults_that_fit(module):
    fields = [*module.OPTIONS, *module.SECRETS]
    assert len({field.key for field in fields}) == len(fields)
    for field in fields:
        assert field.label
        assert not field.choices or field.default in field.choices
        assert field.check is None or field.check(field.default) is None
