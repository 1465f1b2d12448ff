"""A sub-application that is made when its first request comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from aiohttp import web


class LazySubApp(web.AbstractResource):
    """Stands for a sub-application below `prefix`, and is registered in place of it.

    `make` runs in a thread, since it may import; after an error it is tried again by the next request. The application
    may have middlewares, but no signals.
    """

    def __init__(self, prefix: str, make: Callable[[], web.Application]) -> None:
        super().__init__()
        self._prefix = prefix
        self._make = make
        self._made: web.PrefixedSubAppResource | None = None
        self._making = asyncio.Lock()

    @property
    def canonical(self) -> str:
        return self._prefix

    async def resolve(self, request: web.Request) -> Any:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._prepared)
        return await self._made.resolve(request)

    def _prepared(self) -> web.PrefixedSubAppResource:
        app = self._make()
        resource = web.PrefixedSubAppResource(self._prefix, app)
        app.pre_freeze()
        return resource

    def raw_match(self, path: str) -> bool:
        return False

    def add_prefix(self, prefix: str) -> NoReturn:
        raise RuntimeError("belongs to the main application")

    def url_for(self, **kwargs: str) -> NoReturn:
        raise RuntimeError("a sub-application has no address of its own")

    def get_info(self) -> Any:
        return {"prefix": self._prefix}

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        return iter(())
