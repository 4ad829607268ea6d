"""How a remote call can fail, named by what the caller may do next.

ProviderError
├── NotSent            nothing left this machine: try again later
├── Throttled          the remote asked for a pause of `pause_s` seconds; nothing was done
├── NotSignedIn        the token was not accepted: renew it once, then ask again
├── OutcomeUnknown     the request left, no usable answer came: read back first
├── Refused            asking again will not help
│   └── NotFound       what the call names is not there
├── Misconfigured      stop this connection: token, tariff, URL or rights are wrong
└── Incomplete         a reading ended before everything was seen: nothing may be concluded from what is missing
"""

from typing import Any

from membership.errors import MusterbookError, NextStep, Reason


class ProviderError(MusterbookError):
    """Root. `next_step` is a class attribute, so callers need no ladder; `pause_s` asks the lane to rest."""

    next_step: NextStep

    def __init__(self, reason: Reason, *, pause_s: float | None = None, **params: Any) -> None:
        super().__init__(reason, **params)
        self.pause_s = pause_s


class NotSent(ProviderError):
    """Nothing left this machine."""

    next_step = NextStep.RETRY


class Throttled(ProviderError):
    """The remote asked for a pause and did nothing."""

    next_step = NextStep.PAUSE


class NotSignedIn(ProviderError):
    """The remote did not accept the token, which may have run out; nothing was done."""

    next_step = NextStep.RENEW


class OutcomeUnknown(ProviderError):
    """The request was sent, and its answer was lost or proves nothing."""

    next_step = NextStep.READ_BACK


class Refused(ProviderError):
    """The remote will not do it."""

    next_step = NextStep.REFUSE


class NotFound(Refused):
    """What the call names is not there."""


class Misconfigured(ProviderError):
    """No call on this connection can succeed until somebody changes its settings."""

    next_step = NextStep.STOP


class Incomplete(ProviderError):
    """A reading ended before everything was seen. What came before may be added and updated, nothing removed."""

    next_step = NextStep.RETRY
