"""Text from outside, made harmless to the eye: a name must not turn a page, or a sentence, around."""

import re

# C0 without tab and line feed, DEL, C1; soft hyphen; Arabic letter mark; zero-width space; direction marks, embeddings,
# overrides, isolates; line and paragraph separators; invisible operators; byte-order mark; lone surrogates; tags.
# U+200C and U+200D stay: Persian words and emoji are written with them.
_ACTS_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def inert(text: str) -> str:
    """`text` with characters that act unseen made visible: ‹U+202E›. Letters of every script stay as they are.

    HTML is not escaped here: templates do that.
    """
    return _ACTS_UNSEEN.sub(lambda found: f"‹U+{ord(found[0]):04X}›", text)
