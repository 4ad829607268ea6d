"""The only writer of groups, accounts, participants, presences and drift.

facts          remote values as columns, and their content hashes
listing        one list that a remote told, against what the mirror holds: only differences are written
groups         the list of groups, and what goes with a group that is gone
accounts       the list of accounts, and finding an account by its remote id
participants   the list of one group's participants
shield         rows that know more than a reading does
presence       since when, until when
confirmed      what the engine learned about single rows
writer         all of it for callers, who open the transactions
"""
