"""Every shape of search that the log's page offers, as addresses: `{what it is: address}`."""

from urllib.parse import urlencode

from django.utils import timezone

from tests.services.many_entries import RARE, SPAN

NOW = timezone.now()
LIST = "/membership/auditentry/"


def lines(made):
    """`{what it is: a line of search}`: each term, by name and by number, words, spans, and what is combined."""
    middle = (NOW - SPAN / 2).date()
    long_ago = (NOW - SPAN * 0.9).date()
    person, account, group = made.people[3], made.accounts[5], made.groups[3]
    change = made.changes[len(made.changes) // 3]
    found = {
        "nothing asked": "",
        "a rare word": RARE,
        "a common word": "ada",
        "a word in every step": "club.example",
        "two words": "ada lovelace",
        "two common words, nowhere together": "lovelace turing",
        "words in quotes": '"ada lovelace"',
        "a word that is nowhere": "nobodyiscalledso",
        "an e-mail": account.email,
        "a whole name": f'"{person.name}"',
        "a ticket as a word": change.ticket,
        "another letter": "иван петров",
        "two letters": "zo",
        "two letters that are nowhere": "q9",
        "a number": "#4711",
        "entry": "entry:4711",
        "step": "step:1234",
        "change": f"change:{change.pk}",
        "ticket": f"ticket:{change.ticket}",
        "a part of a ticket": "ticket:HELP-1",
        "actor": "actor:vera",
        "actor by number": f"actor:#{made.users[0].pk}",
        "by itself": "actor:musterbook",
        "action": "action:confirmed",
        "action, many": "action:operation",
        "action, rare among the newest": "action:change.requested",
        "action that never was": "action:database.restored",
        "system": "system:office",
        "systems": "system:c",
        "group": "group:#" + str(group.pk),
        "great group": 'group:"all hands"',
        "groups by name": "group:group",
        "person": f'person:"{person.name}"',
        "people by name": "person:ada",
        "account": f"account:{account.email}",
        "accounts by name": "account:lovelace",
        "outcome, a state": "outcome:refused",
        "outcome, a reason": "outcome:answer_lost",
        "outcome that never was": "outcome:sign_in_refused",
        "one day": f"on:{middle}",
        "since": "from:7d",
        "since long ago": f"from:{long_ago}",
        "until": f"to:{middle}",
        "a span": f"from:{long_ago} to:{middle}",
        "before everything": "to:2001-01-01",
        "after everything": "from:2090-01-01",
    }

    combined = {
        "word, old": f"ada to:{middle}",
        "word in every step, old": f"club.example to:{long_ago}",
        "rare word, one day": f"{RARE} on:{middle}",
        "action, old": f"action:refused to:{middle}",
        "action, one day": f"action:requested on:{middle}",
        "action and word": "action:requested left",
        "action and word, nowhere together": "action:requested ada",
        "action that never was, and word": "action:database.restored ada",
        "system, action, word": "system:office action:refused иван",
        "system and action": 'system:"club chat" action:refused',
        "system and rare action": "system:trainers action:reading.finished",
        "system and action, nowhere together": "system:office action:session.started",
        "group and word": f"group:#{group.pk} ada",
        "group and action": f"group:#{group.pk} action:refused",
        "group and outcome": 'group:"all hands" outcome:answer_lost',
        "great group and change": f'group:"all hands" change:{change.pk}',
        "great group and person": f'group:"all hands" person:"{person.name}"',
        "groups and people": "group:group person:ada",
        "groups and people, nowhere together": f'group:"group 199" person:"{person.name}" to:{long_ago}',
        "person and action": f'person:"{person.name}" action:refused',
        "people and outcome": "person:ada outcome:answer_lost",
        "people, old": f"person:ada to:{long_ago}",
        "person and word": f'person:"{person.name}" group',
        "actor and word": "actor:otto case",
        "actor and action": "actor:otto action:session.started",
        "actor and action, nowhere together": "actor:otto action:refused",
        "actor, old": f"actor:otto to:{long_ago}",
        "by itself, action, old": f"actor:musterbook action:reading.finished to:{long_ago}",
        "by itself and system": "actor:musterbook system:trainers",
        "by itself and action, nowhere together": "actor:musterbook action:change.requested",
        "change and word": f"change:{change.pk} ada",
        "ticket and outcome": f"ticket:{change.ticket} outcome:refused",
        "tickets and action": "ticket:HELP-1 action:requested",
        "tickets and outcome": "ticket:HELP-1 outcome:answer_lost",
        "outcome and span": f"outcome:answer_lost from:{long_ago} to:{middle}",
        "number and word": "#4711 ada",
        "everything": f"actor:musterbook action:confirmed system:office group:group person:ada from:{long_ago} hopper",
        "short and long word": "zo lovelace",
        "short word and action": "zo action:refused",
        "eight words": "ada lovelace club example group row a e",
    }
    return found | {f"{name} (combined)": line for name, line in combined.items()}


def pages(made):
    return {name: f"{LIST}?{urlencode({'q': line})}" for name, line in lines(made).items()} | other_pages(made)


def other_pages(made):
    """What is looked for by filters beside the line, late pages, and timelines."""
    person, account, change = made.people[3], made.accounts[5], made.changes[len(made.changes) // 3]
    filters = {
        "filter: login chain": {"chain": "login"},
        "filter: chain of a system": {"chain": f"connection:{made.systems[2].pk}"},
        "filter: person": {"person_id": person.pk},
        "filter: since and until": {"since": "2026-01-01", "until": "2026-01-31"},
        "filter and word": {"chain": "panel", "q": "ada"},
        "a late page": {"p": 60},
        "a late page of a common word": {"p": 60, "q": "ada"},
    }
    found = {name: f"{LIST}?{urlencode(query)}" for name, query in filters.items()}
    rows = {
        "person": person, "account": account, "change": change, "group": made.groups[3],
        "great group": made.groups[0], "connection": made.systems[0],
    }  # fmt: skip
    return found | {f"timeline: {name}": f"{LIST}of/{name.split()[-1]}/{row.pk}/" for name, row in rows.items()}
