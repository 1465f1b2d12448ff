"""An image registry by the OCI distribution API: strict about what it is asked, and faulty where a test says so."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class RegistryApi:
    """One image, `team/shop`. tags: each with the configuration of its image.

    auth: "", "basic" or "bearer". page: most tags in an answer. wait_s: before each answer. say: an answer instead of
    the list of tags. link: the next page instead of the true one. realm, blobs_at: where tokens and blobs are, instead
    of here.
    """

    host: str = ""
    tags: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    auth: str = ""
    login: tuple[str, str] = ("ci", "pass:word")
    page: int = 1000
    wait_s: float = 0.0
    status: int = 200
    say: str = ""
    link: str = ""
    realm: str = ""
    blobs_at: str = ""
    asked: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    _blobs: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def lists(self) -> int:
        """How many lists of tags it was asked for."""
        return sum("/tags/list" in path for path in self.asked)

    async def token(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if (
            request.query.get("scope") != "repository:team/shop:pull"
            or request.query.get("service") != "fake"
        ):
            self.mistakes.append(f"asked for a token with {dict(request.query)}")
        if request.headers.get("Authorization") != self._basic():
            return web.json_response({"details": "incorrect username or password"}, status=401)
        return web.json_response({"token": "a-token", "expires_in": 60})

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        await asyncio.sleep(self.wait_s)
        if not self._allowed(request):
            realm = self.realm or f"http://{self.host}/token"
            challenge = (
                'Basic realm="fake"'
                if self.auth == "basic"
                else f'Bearer realm="{realm}",service="fake",scope="repository:team/shop:pull"'
            )
            return _error("UNAUTHORIZED", 401, {"WWW-Authenticate": challenge})
        if self.status != 200:
            return _error("TOOMANYREQUESTS", self.status, {"Retry-After": "30"})
        found = re.fullmatch(r"/v2/team/shop/(tags/list|manifests|blobs)/?(.*)", request.path)
        if found is None:
            return _error("NAME_UNKNOWN", 404)
        if found[1] == "tags/list":
            return self._list(request)
        if found[1] == "blobs" and self.blobs_at:
            return web.Response(status=307, headers={"Location": self.blobs_at})
        return self._manifest(request, found[2]) if found[1] == "manifests" else self._blob(found[2])

    def _list(self, request: web.Request) -> web.Response:
        if self.say:
            return web.Response(text=self.say, content_type="application/json")
        last, wanted = request.query.get("last", ""), min(int(request.query.get("n", self.page)), self.page)
        rest = [tag for tag in sorted(self.tags) if tag > last]
        headers = {}
        if len(rest) > wanted:
            following = self.link or f"/v2/team/shop/tags/list?last={rest[wanted - 1]}&n={wanted}"
            headers["Link"] = f'<{following}>; rel="next"'
        return web.json_response({"name": "team/shop", "tags": rest[:wanted] or None}, headers=headers)

    def _manifest(self, request: web.Request, reference: str) -> web.Response:
        accepted = request.headers.get("Accept", "")
        if reference.startswith("sha256:"):
            return self._blob(reference)
        if reference not in self.tags:
            return _error("MANIFEST_UNKNOWN", 404)
        if _INDEX not in accepted or _MANIFEST not in accepted:
            self.mistakes.append(f"{request.path} accepts {accepted}")
        config = self._put("application/octet-stream", self.tags[reference])
        image = self._put(
            _MANIFEST, {"schemaVersion": 2, "mediaType": _MANIFEST, "config": {"digest": config}}
        )
        statement = {"digest": f"sha256:{'0' * 64}", "platform": {"os": "unknown", "architecture": "unknown"}}
        runs = {"digest": image, "platform": {"os": "linux", "architecture": "amd64"}}
        return self._blob(
            self._put(_INDEX, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [statement, runs]})
        )

    def _put(self, kind: str, content: Mapping[str, Any]) -> str:
        packed = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(packed).hexdigest()}"
        self._blobs[digest] = (kind, packed)
        return digest

    def _blob(self, digest: str) -> web.Response:
        if digest not in self._blobs:
            return _error("BLOB_UNKNOWN", 404)
        kind, packed = self._blobs[digest]
        return web.Response(body=packed, headers={"Content-Type": kind, "Docker-Content-Digest": digest})

    def _allowed(self, request: web.Request) -> bool:
        right = {"": None, "basic": self._basic(), "bearer": "Bearer a-token"}[self.auth]
        given = request.headers.get("Authorization")
        if given is not None and (right is None or given.split()[0] != right.split()[0]):
            self.mistakes.append(f"{request.path} with {given.split()[0]}")
        return given == right

    def _basic(self) -> str:
        return f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"


def _error(code: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": "no"}]}, status=status, headers=headers)


def built(created: str, commit: str = "", labels: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """The configuration of an image."""
    given = {"org.opencontainers.image.revision": commit} if commit else labels
    return {"created": created, "architecture": "amd64", "os": "linux", "config": {"Labels": given}}


@asynccontextmanager
async def serving(api: RegistryApi, *, tls: Any = None) -> AsyncIterator[RegistryApi]:
    """Serve it. Fails the test for a request that no client should make."""
    app = web.Application()
    app.router.add_get("/token", api.token)
    app.router.add_get("/v2/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        api.host = f"127.0.0.1:{runner.addresses[0][1]}"
        yield api
    finally:
        await runner.cleanup()
    assert api.mistakes == []


def tagged(*tags: str) -> dict[str, Mapping[str, Any]]:
    return {tag: built("2026-11-20T10:00:00Z") for tag in tags}
