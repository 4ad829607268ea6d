"""A mirror without remotes, and people who ask the panel for pages."""

import pytest

from tests import mirrored


@pytest.fixture
def office(any_db):
    return mirrored.system("Office")


@pytest.fixture
def club(any_db):
    return mirrored.system("Club app", provider="mudbase")


@pytest.fixture
def trainers(club):
    return mirrored.group("Trainers", club, participants_count=2)


@pytest.fixture
def ada(trainers):
    """Ada in Trainers."""
    account = mirrored.account("Ada Lovelace", trainers.connection, email="ada@example.org")
    return mirrored.participant(account, trainers, remote_id="usr_ada")


@pytest.fixture
def zoe(trainers):
    account = mirrored.account("Zoë Müller", trainers.connection, email="zoe@example.org")
    return mirrored.participant(account, trainers, remote_id="usr_zoe")


@pytest.fixture
def as_(client):
    """`as_(user)`: the test client, logged in."""

    def enter(user):
        client.force_login(user)
        return client

    return enter
