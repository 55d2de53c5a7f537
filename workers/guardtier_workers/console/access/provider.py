"""Provider: an OpenID Connect identity provider: what it publishes, and whom a code of its stands for.

The protocol's pieces are Authlib's; what is taken of them is fixed here: authorization code with PKCE
(S256), state, nonce, and an ID token that is signed with a key that the provider publishes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from ssl import SSLContext
from time import monotonic
from typing import Any

import httpx
import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from guardtier.console_settings import OidcSettings
from guardtier_workers.console.access.addresses import is_private
from guardtier_workers.console.access.problems import ProviderAway, SignOnFailed

SECONDS = 10.0  #: for all that one step asks the provider
KEPT_SECONDS = 3600.0  #: what it publishes is asked for again after so long
ANEW_SECONDS = 60.0  #: and for a key that nobody knows, no sooner than this
LEEWAY = 60  #: seconds that its clock may be off
MOST_BYTES = 1024 * 1024
#: Asymmetric alone: with the others, whoever knows our secret could sign; "none" is no signature.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
SUBJECT = re.compile(r"[ -~]{1,255}")


class Provider:
    """Asks the provider. Redirects are not followed, proxies of the environment not used."""

    def __init__(self, settings: OidcSettings) -> None:
        self._own = settings
        self._tls: SSLContext | None = None
        self._published: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked = self._keys_asked = float("-inf")

    async def where_to(self, *, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in. Raises ProviderAway."""
        published = await self._discovered()
        address: str = prepare_grant_uri(
            published["authorization_endpoint"],
            self._own.client_id,
            "code",
            redirect_uri=back,
            scope="openid",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return address

    async def subject(self, given: Mapping[str, str], *, back: str, nonce: str, verifier: str) -> str:
        """Who has signed in, as "issuer subject", by what the browser came back with.

        Raises SignOnFailed, ProviderAway.
        """
        published = await self._discovered()
        self._check_answer(given, published)
        said = await self._token(published, given["code"], back, verifier)
        raw = said.get("id_token")
        if not isinstance(raw, str):
            raise SignOnFailed("the identity provider did not say who signed in", field="id_token")
        claims = await self._claims(raw, str(said.get("access_token", "")), nonce)
        subject = claims.get("sub")
        if not isinstance(subject, str) or SUBJECT.fullmatch(subject) is None:
            raise SignOnFailed("the identity provider's subject can't be used", field="sub")
        return f"{self._own.issuer} {subject}"

    def _check_answer(self, given: Mapping[str, str], published: Mapping[str, Any]) -> None:
        """The answer is of this provider (RFC 9207), and has a code."""
        issuer = given.get("iss")
        wanted = published.get("authorization_response_iss_parameter_supported") is True
        if (issuer is None and wanted) or (issuer is not None and issuer != self._own.issuer):
            raise SignOnFailed("another identity provider has answered", field="iss")
        if "error" in given or not given.get("code"):
            why = given.get("error_description") or given.get("error") or "it sent no code"
            raise SignOnFailed(f"the identity provider refused: {why[:200]}", field="code")

    async def _token(
        self, published: Mapping[str, Any], code: str, back: str, verifier: str
    ) -> dict[str, Any]:
        supported = published.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        how = "client_secret_basic" if "client_secret_basic" in supported else "client_secret_post"
        secret = self._own.client_secret.get_secret_value()
        body = prepare_token_request(
            "authorization_code", redirect_uri=back, code=code, code_verifier=verifier
        )
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        url, headers, body = ClientAuth(self._own.client_id, secret, how).prepare(
            "POST", published["token_endpoint"], headers, body
        )
        status, said = await self._ask("POST", url, body, headers)
        if status != 200:
            raise SignOnFailed(f"the identity provider does not take the code: {status}", field="code")
        return said

    async def _claims(self, raw: str, access_token: str, nonce: str) -> CodeIDToken:
        """Raises SignOnFailed for a token that is not from this provider, for us, for this signing in."""
        options = {
            "iss": {"essential": True, "value": self._own.issuer},
            "aud": {"essential": True, "value": self._own.client_id},
        }
        params = {"nonce": nonce, "client_id": self._own.client_id}
        if access_token:
            params["access_token"] = access_token
        try:
            token = await self._verified(raw)
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignOnFailed(
                f"the identity provider's token is not to be believed: {type(error).__name__}",
                field="id_token",
            ) from error
        return claims

    async def _verified(self, raw: str) -> jwt.Token:
        try:
            return jwt.decode(raw, await self._key_set(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):  # keys are changed now and then
            if monotonic() - self._keys_asked < ANEW_SECONDS:
                raise
            return jwt.decode(raw, await self._key_set(anew=True), algorithms=ALGORITHMS)

    async def _key_set(self, *, anew: bool = False) -> KeySet:
        if self._keys is None or anew or monotonic() - self._keys_asked > KEPT_SECONDS:
            self._keys_asked = monotonic()
            published = await self._discovered()
            self._keys = KeySet.import_key_set(await self._get(published["jwks_uri"]))  # type: ignore[arg-type]
        return self._keys

    async def _discovered(self) -> dict[str, Any]:
        """What it publishes of itself. Raises ProviderAway."""
        if self._published and monotonic() - self._asked < KEPT_SECONDS:
            return self._published
        found = await self._get(self._own.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self._own.issuer:
            raise ProviderAway("it calls itself otherwise than console.oidc.issuer says", field="issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_private(str(found.get(name, ""))):
                raise ProviderAway(f"its {name} is no https:// address", field=name)
        self._published, self._asked = found, monotonic()
        return found

    async def _get(self, url: str) -> dict[str, Any]:
        status, found = await self._ask("GET", url)
        if status != 200:
            raise ProviderAway(f"it answered {status} at {url[:200]}", field="issuer")
        return found

    async def _ask(
        self, method: str, url: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of the answer. Raises ProviderAway."""
        self._tls = self._tls or httpx.create_ssl_context()  # once: it takes 60 ms
        try:
            async with (
                asyncio.timeout(SECONDS),
                httpx.AsyncClient(verify=self._tls, trust_env=False) as client,
                client.stream(method, url, content=body, headers=headers) as answer,
            ):
                raw = bytearray()
                async for part in answer.aiter_bytes():
                    raw += part
                    if len(raw) > MOST_BYTES:
                        raise ProviderAway("it sent too much", field="issuer", limit=MOST_BYTES)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise ProviderAway(f"it can't be reached ({type(error).__name__})", field="issuer") from error
        return answer.status_code, _object(bytes(raw), answer.status_code)


def _object(raw: bytes, status: int) -> dict[str, Any]:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        if status != 200:
            return {}
        raise ProviderAway("what it sent is no JSON object", field="issuer")
    return found
