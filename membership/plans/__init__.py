"""Wishes become plans: ordered, guarded, hashed lists of operations.

wishes    what somebody wants, as values
facts     what the mirror says of groups, accounts and places
cases     wishes with those facts
known     what guards have to know beyond them
guards    what is left out of a plan, and why
limits    what is said of a plan as a whole: too much at once, known too little; pure
weighing  what a plan does to each group as a whole, and the rules that judge it
drafting  providers that can say their calls but send none
calls     the calls that fulfil a case
compile   wishes to the stored rows of a draft
bulk      many rows at once
hashing   what was shown is what is done
stored    stored operations back to wishes
standing  whether a stored plan is still what was shown, and still true
places    whether it is known where an account takes part
"""
