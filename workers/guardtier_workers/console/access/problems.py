"""What the gate refuses with beside the tier's own errors: answers.py gives each a status of its own."""

from __future__ import annotations

from guardtier.errors import GuardtierError, NotAuthorized


class WrongHost(NotAuthorized):
    """The Host header names a site that this console is not: DNS may have been turned against it."""


class NotHere(NotAuthorized):
    """A way in that is shut: plain HTTP from another machine."""


class TooManyTries(GuardtierError):
    """Signing in failed too often. ``limit``: after so many seconds another try is looked at."""

    code = "too_many_tries"


class TooLarge(GuardtierError):
    """The request has more bytes than any that the console takes. ``limit``: how many it takes."""

    code = "too_large"


class SignOnFailed(NotAuthorized):
    """Single sign-on did not say who somebody is, or not in a way that is to be believed."""


class ProviderAway(GuardtierError):
    """The identity provider can't be reached, or what it publishes can't be used."""

    code = "provider_away"


class PluginFailed(GuardtierError):
    """What an analyzer serves below the API ended in an error of its own."""

    code = "plugin_failed"
