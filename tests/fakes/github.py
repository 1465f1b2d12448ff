"""GitHub's API as far as Slipway asks it: strict, and held to GitHub's own description in both directions."""

from __future__ import annotations

import asyncio
import functools
import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs
from aiohttp import web

DESCRIPTIONS = Path(__file__).parent / "descriptions"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
_STRINGS = {"uri": "https://github.com/x", "date-time": "2026-11-20T14:03:20Z", "email": "a@example.com"}


@functools.cache
def description(file: str = "github") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress((DESCRIPTIONS / f"{file}.json.gz").read_bytes()))
    return found


def resolved(schema: Mapping[str, Any], file: str = "github") -> Mapping[str, Any]:
    while "$ref" in schema:
        _, _, kind, name = schema["$ref"].split("/")
        schema = description(file)["components"][kind][name]
    return schema


def minimal(schema: Mapping[str, Any], file: str = "github") -> Any:
    """The least that the schema allows."""
    schema = resolved(schema, file)
    if schema.get("nullable") or "null" in (kinds := schema.get("type", ())):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if "allOf" in schema:
        return functools.reduce(lambda a, b: {**a, **b}, (minimal(each, file) for each in schema["allOf"]))
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return minimal(schema[several][0], file)
    match kinds if isinstance(kinds, str) else kinds[0] if kinds else None:
        case "object":
            properties = schema.get("properties", {})
            return {name: minimal(properties[name], file) for name in schema.get("required", ())}
        case "array":
            return []
        case "string":
            return _STRINGS.get(schema.get("format", ""), "x")
        case "boolean":
            return False
        case _:
            return 1


def strict(schema: Any) -> Any:
    """The schema of OpenAPI 3.0 as JSON Schema, which has no `nullable`."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(each) for name, each in schema.items() if name not in ("nullable", "discriminator")}
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") is True else found


@dataclass
class GithubApi:
    """One repository, `acme/checkout`. Sets of what a test cares about; the rest of each answer is the least allowed.

    runs: check runs by name: status and conclusion. statuses: commit statuses by context. pulls: number, merged or
    not, and author. reviews: of every pull request, in order: login, state, association. releases: see `published`.
    tags: commits by tag. commits: of what is compared: parent, login of the author's account, and name in the commit.
    checked: commits that runs, statuses and files are of. limited_until: seconds since 1970, when requests are allowed
    again. say: an answer instead of any other; wait_s: before each. unchanged: how many answers were not sent, because
    the asker had them.
    """

    url: str = ""
    token: str = "a-token-of-github"
    runs: list[tuple[str, str, str | None]] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    pulls: list[tuple[int, bool, str]] = field(default_factory=list)
    reviews: list[tuple[str, str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    releases: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, tuple[str | None, str | None, str | None]] = field(default_factory=dict)
    checked: tuple[str, ...] = (COMMIT,)
    limited_until: int = 0
    say: str = ""
    wait_s: float = 0.0
    unchanged: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/repos/acme/checkout")
        self.asked.append(path)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        if request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            self.mistakes.append(f"{path}: no version of the API")
        await asyncio.sleep(self.wait_s)
        if self.status != 200:
            return web.json_response({"message": "Server Error"}, status=self.status)
        if self.limited_until:
            limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(self.limited_until)}
            return web.json_response({"message": "API rate limit exceeded"}, status=403, headers=limit)
        if not request.path.startswith("/repos/acme/checkout/"):
            return web.json_response({"message": "Not Found"}, status=404)
        if self.say:
            return web.Response(text=self.say, content_type="application/json")
        template = next((t for t in description()["paths"] if _pattern(t).fullmatch(request.path)), None)
        if template is None:
            self.mistakes.append(f"{path} is not described")
            return web.json_response({"message": "Not Found"}, status=404)
        known = {resolved(p)["name"] for p in description()["paths"][template]["get"]["parameters"]}
        self.mistakes += [f"{path}: unknown parameter {name}" for name in request.query if name not in known]
        return self._answer(template, path, request)

    def _answer(self, template: str, path: str, request: web.Request) -> web.Response:
        if template.endswith("/contents/{path}"):
            if "raw" not in request.headers["Accept"] or request.query["ref"] not in self.checked:
                self.mistakes.append(f"{path}: not asked for the file at the commit")
            text = self.files.get(path.removeprefix("/contents/"))
            if text is None:
                return web.json_response({"message": "Not Found"}, status=404)
            return web.Response(text=text, content_type="application/vnd.github.raw+json")
        if "/commits/" in path and not any(f"/commits/{commit}/" in path for commit in self.checked):
            return web.json_response({"message": "No commit found"}, status=422)
        between = path.rpartition("/")[2].partition("...")
        if template.endswith("/compare/{basehead}") and not {between[0], between[2]} <= set(self.commits):
            return web.json_response({"message": "Not Found"}, status=404)
        described = description()["paths"][template]["get"]["responses"]["200"]
        schema = described["content"]["application/json"]["schema"]
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        shown = slice((page - 1) * size, page * size)
        if template.endswith("/compare/{basehead}"):
            body = self._comparison(between[0], between[2], resolved(schema), shown)
        else:
            body = self._body(template.rsplit("/", 1)[1], schema, shown)
        valid(body, schema, "github")
        etag = f'W/"{hashlib.sha256(json.dumps(body).encode()).hexdigest()}"'
        if request.headers.get("If-None-Match") == etag:
            self.unchanged += 1
            return web.Response(status=304, headers={"ETag": etag})
        return web.json_response(body, headers={"ETag": etag})

    def _body(self, what: str, schema: Mapping[str, Any], page: slice) -> Any:
        if what == "check-runs":
            one = minimal(resolved(schema)["properties"]["check_runs"]["items"])
            runs = [
                {**one, "id": n, "name": name, "status": status, "conclusion": conclusion}
                for n, (name, status, conclusion) in enumerate(self.runs, 1)
            ]
            return {"total_count": len(runs), "check_runs": runs[page]}
        if what == "status":
            one = minimal(resolved(resolved(schema)["properties"]["statuses"]["items"]))
            statuses = [{**one, "context": c, "state": s} for c, s in self.statuses.items()]
            return {**minimal(schema), "total_count": len(statuses), "statuses": statuses[page]}
        one = minimal(resolved(schema)["items"])
        if what == "releases":
            user = self._user("ada")
            return [{**one, "id": n, "author": user, **said} for n, said in enumerate(self.releases, 1)][page]
        if what == "tags":
            commit = one["commit"]
            return [{**one, "name": t, "commit": {**commit, "sha": c}} for t, c in self.tags.items()][page]
        if what == "pulls":
            at = "2026-11-20T14:03:20Z"
            return [
                {**one, "number": n, "merged_at": at if merged else None, "user": self._user(author)}
                for n, merged, author in self.pulls
            ][page]
        return [
            {**one, "id": n, "user": self._user(login), "state": state, "author_association": association}
            for n, (login, state, association) in enumerate(self.reviews, 1)
        ][page]

    def _comparison(self, base: str, head: str, schema: Mapping[str, Any], page: slice) -> dict[str, Any]:
        """In chronological order, as GitHub says."""
        ours, theirs = self._line(base), self._line(head)
        added, removed = ([c for c in a if c not in b] for a, b in ((theirs, ours), (ours, theirs)))
        status = (
            "diverged" if added and removed else "ahead" if added else "behind" if removed else "identical"
        )
        whole = {**minimal(schema), "status": status, "ahead_by": len(added), "behind_by": len(removed)}
        files = [] if page.start else [minimal(schema["properties"]["files"]["items"])]
        commits = [self._commit(each, schema) for each in added[::-1][page]]
        return {**whole, "total_commits": len(added), "commits": commits, "files": files}

    def _line(self, commit: str | None) -> list[str]:
        found: list[str] = []
        while commit is not None:
            found.append(commit)
            commit = self.commits[commit][0]
        return found

    def _commit(self, sha: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        _, login, name = self.commits[sha]
        one = minimal(schema["properties"]["commits"]["items"])
        written = (
            {"name": name, "email": "a@example.com", "date": "2026-11-20T14:03:20Z"}
            if name is not None
            else None
        )
        return {
            **one,
            "sha": sha,
            "author": self._user(login) if login else None,
            "commit": {**one["commit"], "author": written},
        }

    def _user(self, login: str) -> dict[str, Any]:
        user = {**minimal({"$ref": "#/components/schemas/simple-user"}), "login": login}
        return {**user, "avatar_url": "https://github.com/x"}


def valid(body: Any, schema: Mapping[str, Any], file: str) -> None:
    """Raises `jsonschema_rs.ValidationError` for a body that is not as `file` describes it."""
    whole = {**strict(schema), "components": strict(description(file)["components"])}
    jsonschema_rs.validator_for(whole).validate(body)


def webhook(name: str, **over: Any) -> dict[str, Any]:
    """What GitHub sends for one of the webhooks that it describes, such as `workflow-run-completed`.

    over: replaces what is special, at any depth; the rest is the least allowed.
    """
    file = "github-webhooks"
    described = description(file)["webhooks"][name]["requestBody"]["content"]["application/json"]["schema"]
    body: dict[str, Any] = merged(minimal(described, file), over)
    valid(body, described, file)
    return body


def merged(ours: Any, over: Any) -> Any:
    if isinstance(ours, dict) and isinstance(over, dict):
        return {**ours, **{key: merged(ours.get(key), value) for key, value in over.items()}}
    return over


def published(tag: str, at: str | None, *, name: str | None = None, **more: Any) -> dict[str, Any]:
    """What is special about a release of `GithubApi.releases`."""
    return {"tag_name": tag, "name": name, "published_at": at, **more}


def line_of(
    authors: Sequence[tuple[str | None, str | None]],
) -> dict[str, tuple[str | None, str | None, str | None]]:
    """Commits one after the other, oldest first, for `GithubApi.commits`: the n-th is `sha(n)`."""
    return {sha(n): (sha(n - 1) if n else None, login, name) for n, (login, name) in enumerate(authors)}


def sha(number: int) -> str:
    return f"{number:040x}"


def _pattern(template: str) -> re.Pattern[str]:
    known = template.replace("{owner}", "acme").replace("{repo}", "checkout")
    return re.compile(
        re.sub(r"\\{\w+\\}", "[^/]+", re.escape(known)).replace("contents/[^/]+", "contents/.+")
    )


@asynccontextmanager
async def serving(api: GithubApi) -> AsyncIterator[GithubApi]:
    """Serve it. Fails the test for a request that GitHub does not describe."""
    app = web.Application()
    app.router.add_get("/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield api
    finally:
        await runner.cleanup()
    assert api.mistakes == []
