"""What can go wrong while somebody signs in to the console."""

from __future__ import annotations

from keyturn.core.errors.tree import CallerError, OperatorError, ProviderError


class SignInLinksOff(CallerError):
    """This instance lets nobody in by links, but by those of its own command line."""

    code = "sign_in_links_off"


class SignInLinkUsed(CallerError):
    """There is no such sign-in link to the console: it is mistyped, was used, or is long gone."""

    code = "sign_in_link_used"


class SignInLinkExpired(CallerError):
    """The sign-in link to the console is too old."""

    code = "sign_in_link_expired"


class OpenIdStateMismatch(CallerError):
    """An answer of the OpenID provider to something that this browser did not ask, or asked too long ago."""

    code = "openid_state_mismatch"


class OpenIdDenied(CallerError):
    """The OpenID provider did not sign the person in."""

    code = "openid_denied"


class OpenIdNotInvited(CallerError):
    """The OpenID provider knows the person, and nobody here does."""

    code = "openid_not_invited"


class OpenIdRoleMissing(CallerError):
    """Nothing that the OpenID provider says of the person gives a role here."""

    code = "openid_role_missing"


class OpenIdSecondFactorMissing(CallerError):
    """The person signed in at the OpenID provider with less than this instance asks for."""

    code = "openid_second_factor_missing"


class OpenIdAnswerInvalid(OperatorError):
    """The OpenID provider's answer fails a check; it may be another's."""

    code = "openid_answer_invalid"


class OpenIdClientRefused(OperatorError):
    """The OpenID provider does not know this instance by its client id and secret."""

    code = "openid_client_refused"


class OpenIdUnavailable(ProviderError):
    """The OpenID provider can't be reached, or talks nonsense."""

    code = "openid_unavailable"
