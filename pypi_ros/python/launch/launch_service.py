# SPDX-License-Identifier: Apache-2.0
"""The launch service: visits launch descriptions and processes events until all is over."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import traceback
from collections.abc import Iterator
from typing import Any

from launch import logging
from launch.child_process import end_groups
from launch.event import Event
from launch.event_handlers import OnShutdown
from launch.events import Shutdown
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_description_entity import LaunchDescriptionEntity


class LaunchService:
    """Runs launch descriptions, once, from the main thread."""

    def __init__(self, *, noninteractive: bool = False, debug: bool = False) -> None:
        """Make a service with an empty context.

        Args:
            noninteractive: Whether no terminal is attached; of no effect here.
            debug: Whether debug messages are logged.
        """
        logging.launch_config.level = logging.DEBUG if debug else logging.INFO
        self._debug = debug
        self._logger = logging.get_logger()
        self._context = LaunchContext()
        self._context.register_event_handler(OnShutdown(on_shutdown=self._on_shutdown))
        self._task: asyncio.Task[int] | None = None
        self._futures: list[asyncio.Future[Any]] = []
        self._included: list[LaunchDescription] = []
        self._return_code = 0

    @property
    def context(self) -> LaunchContext:
        """The launch context."""
        return self._context

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Have a launch description visited once the service runs."""
        self._included.append(launch_description)

    def run(self) -> int:
        """Run until nothing is left to wait for.

        Returns:
            0, or 1 if an error came up in the launch system itself.
        """
        return asyncio.run(self._run(), debug=self._debug)

    async def _run(self) -> int:
        self._task = asyncio.current_task()
        context = self._context
        context.asyncio_loop = asyncio.get_running_loop()
        context._wake_up = asyncio.Event()
        try:
            with self._signals_handled(context.asyncio_loop):
                self._logger.info(f"log files are in {logging.launch_config.log_dir}")
                await self._run_until_idle()
        finally:
            await end_groups(context._children)
            for child in context._children:
                child.close()
            context._children.clear()
        return self._return_code

    # -- signals ------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals_handled(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """End the launch on SIGINT, SIGTERM (orderly) and SIGQUIT (at once)."""
        actions = {
            signal.SIGINT: lambda: self._on_signal("SIGINT"),
            signal.SIGTERM: lambda: self._on_signal("SIGTERM"),
            signal.SIGQUIT: self._quit,
        }
        before = {number: signal.getsignal(number) for number in actions}
        for number, action in actions.items():
            loop.add_signal_handler(number, action)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _on_signal(self, name: str) -> None:
        if self._context.is_shutdown:
            self._logger.warning(f"{name} again: the shutdown is under way")
            return
        self._logger.warning(f"user interrupted with {name}")
        self._context.emit_event_sync(Shutdown(reason=name, due_to_sigint=name == "SIGINT"))

    def _quit(self) -> None:
        self._logger.error("SIGQUIT: all processes are killed")
        for child in self._context._children:
            child.signal_group(signal.SIGKILL)
        assert self._task is not None
        self._task.cancel()

    # -- events -------------------------------------------------------------------------

    def _on_shutdown(self, event: Event, context: LaunchContext) -> None:
        context.is_shutdown = True

    async def _run_until_idle(self) -> None:
        context = self._context
        assert context._wake_up is not None
        while True:
            try:
                while self._included:
                    self._visit(self._included.pop(0))
                while context._event_queue:
                    self._process(context._event_queue.popleft())
                if self._is_idle():
                    if context.is_shutdown:
                        return
                    context.emit_event_sync(Shutdown(reason="idle"))
                    continue
                context._wake_up.clear()
                await context._wake_up.wait()
            except asyncio.CancelledError:
                self._logger.error("the launch was cancelled")
                self._return_code = 1
                return
            except Exception as error:
                self._return_code = 1
                self._logger.debug(traceback.format_exc())
                self._logger.error(f"Caught exception in launch (see debug for traceback): {error}")
                if not context.is_shutdown:
                    context.emit_event_sync(Shutdown(reason=str(error)))

    def _process(self, event: Event) -> None:
        context = self._context
        self._logger.debug(f"event: {event.name}")
        for handler in tuple(context._event_handlers):
            if not handler.matches(event):
                continue
            context._push_locals()
            try:
                entities = handler.handle(event, context)
                if entities is None:
                    continue
                if isinstance(entities, LaunchDescriptionEntity):
                    entities = [entities]
                for entity in entities:
                    self._visit(entity)
            finally:
                context._pop_locals()

    def _visit(self, entity: LaunchDescriptionEntity) -> None:
        if not isinstance(entity, LaunchDescriptionEntity):
            raise RuntimeError(f"{entity!r} is neither an action nor a launch description")
        sub_entities = entity.visit(self._context)
        future = entity.get_asyncio_future()
        if future is not None and not future.done():
            self._futures.append(future)
            future.add_done_callback(lambda _: self._context._notify())
        for sub_entity in sub_entities or ():
            self._visit(sub_entity)

    def _is_idle(self) -> bool:
        """Return whether nothing is left to wait for; raise what a finished part raised."""
        context = self._context
        done = [f for f in [*self._futures, *context._completion_futures] if f.done()]
        self._futures = [f for f in self._futures if not f.done()]
        context._completion_futures = [f for f in context._completion_futures if not f.done()]
        for future in done:
            if not future.cancelled() and future.exception() is not None:
                raise future.exception()  # type: ignore[misc]
        return not (self._futures or context._completion_futures or context._event_queue)
