"""OidcProvider: an OpenID Connect identity provider on loopback, that a test can make lie."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from secrets import token_urlsafe
from time import time
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "console-client", "a secret / with + signs"


class OidcProvider:
    """Signs everybody in as ``subject``. What it says is changed by its attributes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.subject = "sam-1"
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
        self.published = self.key  #: the key that it publishes
        self.claims: dict[str, Any] = {}  #: instead of the right ones; None leaves one out
        self.algorithm = "RS256"
        self.metadata: dict[str, Any] = {}
        self.answer: dict[str, str] = {}  #: of the way back
        self.token: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    async def _configuration(self, _request: Request) -> Response:
        known = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return JSONResponse(known | self.metadata)

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        code = token_urlsafe(16)
        self._codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.url} | self.answer
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form["code"]), None)
        verifier = sha256(str(form.get("code_verifier", "")).encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        quoted = urlencode({"": CLIENT})[1:] + ":" + urlencode({"": SECRET})[1:]
        right = {base64.b64encode(text.encode()).decode() for text in (quoted, f"{CLIENT}:{SECRET}")}
        if (
            asked is None
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
            or request.headers["authorization"].removeprefix("Basic ") not in right
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": "at", "token_type": "Bearer"} | self._id_token(asked))

    def _id_token(self, asked: dict[str, str]) -> dict[str, Any]:
        now = int(time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "sub": self.subject,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": asked.get("nonce"),
        }
        kept = {name: value for name, value in (claims | self.claims).items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid or "k1"}
        if self.algorithm == "none":
            parts = [base64.urlsafe_b64encode(_json(part)).rstrip(b"=").decode() for part in (header, kept)]
            return {"id_token": ".".join([*parts, ""])} | self.token
        key = OctKey.import_key(self.published.as_pem(private=False)) if self._is_mac else self.key
        return {"id_token": jwt.encode(header, kept, key, algorithms=[self.algorithm])} | self.token

    @property
    def _is_mac(self) -> bool:
        return self.algorithm.startswith("HS")

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.published.as_dict(private=False)]})


def _json(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value)


@asynccontextmanager
async def provider_on_loopback() -> AsyncIterator[OidcProvider]:
    """It runs until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    provider = OidcProvider(f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_config=None, lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve([listening]))
    try:
        yield provider
    finally:
        server.should_exit = True
        await task
        listening.close()
