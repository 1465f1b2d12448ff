"""Posts in forums: a thread and its first message, which has the thread's id, or neither."""

from discord_sandbox.discord.actions.posts import Origin, Posts
from discord_sandbox.discord.actions.threads import ThreadDraft, Threads
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.rules import messages as rules
from discord_sandbox.discord.state.model import Channel, Message


class ForumPosts:
    def __init__(self, threads: Threads, posts: Posts) -> None:
        self._threads = threads
        self._posts = posts

    def create(
        self,
        forum: Channel,
        origin: Origin,
        draft: ThreadDraft,
        tags: list[str],
        upload: Upload,
        *,
        keys: frozenset[str] = rules.CREATE,
        path: tuple[str, ...] = (),
    ) -> tuple[Channel, Message]:
        """Raises 50035 or 50006 for the message."""
        post = self._threads.draft_post(forum, origin.author, draft, tags)
        message = self._posts.create(
            post,
            origin,
            upload,
            keys=keys,
            path=path,
            message_id=post.id,
            before=lambda: self._threads.opened(post),
        )
        return post, message
