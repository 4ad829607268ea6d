"""How wishes reach the remotes: the outbox, one lane a connection, and what reads back.

outbox    the rows' states, the only module that moves them
pace      the lane's limit over all its requests
runner    sends what was claimed, with threads that never touch the database
resolve   reads back what is in doubt
reading   looks at remotes and hands what they say to the mirror
lane      one connection's turn: lease, recovery, sign-in, push, resolve, read
worker    all lanes of one process, and its heartbeat
trouble   what is said of storage that fails; clock: what is put right when it was set back
"""
