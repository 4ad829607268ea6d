"""Wishes become plans: ordered, guarded, hashed lists of operations.

wishes    places that somebody wants ended, as the mirror has them
guards    what is left out of a plan, and why
drafting  providers that can say their calls but send none
compile   wishes to the stored rows of a draft
bulk      many rows at once
hashing   what was shown is what is done
standing  whether a stored plan is still what was shown, and still true
places    whether it is known where an account takes part
"""
