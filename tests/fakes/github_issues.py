"""Issues of a repository on GitHub, held to GitHub's own description in both directions."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.github import description, minimal, resolved, valid

FILE = "github-issues"
_BASE = "/repos/acme/ops/issues"


@dataclass
class GithubIssues:
    """The issues of `acme/ops`. strangers: issues that were there before. writes: whether the token may set labels.

    answers: given instead of the own ones, one after the other: status, text, headers.
    """

    url: str = ""
    token: str = "a-token-of-github"
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    assigned: list[tuple[str, ...]] = field(default_factory=list)
    writes: bool = True
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    lost: int = 0  # so many replies to creations are lost, after the issue was made
    asked: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> dict[str, Any]:
        least = minimal({"$ref": "#/components/schemas/issue"}, FILE)
        issue = {
            **least,
            "id": len(self.issues) + 1,
            "number": len(self.issues) + 1,
            "state": "open",
            "title": title,
            "body": body,
            "labels": [{"name": name} for name in labels],
        }
        self.issues.append(issue)
        return issue

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path.removeprefix(_BASE)}")
        said = await request.text()
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        if request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            self.mistakes.append("no version of the API")
        if self.answers:
            status, text, headers = self.answers.pop(0)
            return web.Response(status=status, text=text, headers=headers)
        found = re.fullmatch(rf"{_BASE}(?:/(\d+)(/comments)?)?", request.path)
        if found is None:
            return web.json_response({"message": "Not Found"}, status=404)
        number = int(found[1]) if found[1] else None
        template = "/repos/{owner}/{repo}/issues" + ("/{issue_number}" if number else "") + (found[2] or "")
        operation = description(FILE)["paths"][template].get(request.method.lower())
        if operation is None:
            self.mistakes.append(f"{request.method} {template} is not described")
            return web.json_response({"message": "Not Found"}, status=404)
        known = {resolved(each, FILE)["name"] for each in operation.get("parameters", ())}
        self.mistakes += [f"unknown parameter {name}" for name in request.query if name not in known]
        body = json.loads(said) if said else {}
        if "requestBody" in operation:
            valid(body, operation["requestBody"]["content"]["application/json"]["schema"], FILE)
        status, answer = self._done(request, number, body, commented=bool(found[2]))
        if status < 300:
            schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
            valid(answer, schema, FILE)
        if self.lost and request.method == "POST" and number is None:
            self.lost -= 1
            assert request.transport is not None
            request.transport.close()
        return web.json_response(answer, status=status)

    def _done(
        self, request: web.Request, number: int | None, body: Mapping[str, Any], *, commented: bool
    ) -> tuple[int, Any]:
        if request.method == "GET":
            return 200, self._listed(request.query)
        if len(body.get("title", "")) > 256 or len(body.get("body") or "") > 65_536:
            return 422, {"message": "Validation Failed", "errors": ["too long"]}
        if number is None:
            if any(len(label) > 50 for label in body.get("labels", ())):
                return 422, {"message": "Validation Failed", "errors": ["label too long"]}
            if body.get("assignees"):
                self.assigned.append(tuple(body["assignees"]))
            return 201, self.add(body["title"], body["body"], tuple(body["labels"] if self.writes else ()))
        if number > len(self.issues):
            return 404, {"message": "Not Found"}
        if commented:
            self.comments.append((number, body["body"]))
            least = minimal({"$ref": "#/components/schemas/issue-comment"}, FILE)
            return 201, {**least, "body": body["body"]}
        self.issues[number - 1].update(body)
        return 200, self.issues[number - 1]

    def _listed(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        label, state = query.get("labels"), query.get("state", "open")
        found = [
            issue
            for issue in reversed(self.issues)
            if (state == "all" or issue["state"] == state)
            and (label is None or label in [each["name"] for each in issue["labels"]])
        ]
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        return found[(page - 1) * size : page * size]


@asynccontextmanager
async def serving_issues(api: GithubIssues) -> AsyncIterator[GithubIssues]:
    """Serve it. Fails the test for a request that GitHub does not describe."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
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
