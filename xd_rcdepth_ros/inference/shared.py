# SPDX-License-Identifier: Apache-2.0
"""One model in memory for several cameras: users with the same options get the same estimator."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import DepthResult
from xd_rcdepth_ros.inference.estimator import DepthEstimator


class Turns:
    """A lock that is given in the order of asking, so that no camera waits for ever."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting: deque[Lock] = deque()
        self._taken = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn; it ends with the block."""
        own = Lock()
        own.acquire()
        with self._guard:
            if self._taken:
                self._waiting.append(own)
            else:
                self._taken = True
                own.release()
        own.acquire()
        try:
            yield
        finally:
            with self._guard:
                if self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._taken = False


class SharedEstimator(DepthEstimator):
    """An estimator that several threads use, one frame at a time, in the order of asking.

    It is released when its last user is.
    """

    _loading = Lock()
    _loaded: ClassVar[WeakValueDictionary[tuple[Any, ...], SharedEstimator]] = WeakValueDictionary()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turns, self._explaining = Turns(), Turns()
        self._warm = False

    @classmethod
    def load(cls, *arguments: Any, **options: Any) -> SharedEstimator:
        """Load a model file, or return the one that was loaded with the same options."""
        key = (*arguments, *sorted(options.items()))
        with cls._loading:
            found = cls._loaded.get(key)
            if found is None:
                loaded = super().load(*arguments, **options)
                assert isinstance(loaded, SharedEstimator)
                found = loaded
                cls._loaded[key] = found
            return found

    def warm_up(self, *arguments: Any, **options: Any) -> None:
        """Warm up once for all users."""
        if not self._warm:
            super().warm_up(*arguments, **options)
            self._warm = True

    def infer(self, *arguments: Any, **options: Any) -> DepthResult:
        """Run the network when it is this frame's turn."""
        with self._turns.turn():
            return super().infer(*arguments, **options)

    def explain(self, *arguments: Any, **options: Any) -> NDArray[np.float32]:
        """Return a saliency map when it is this frame's turn among those to be explained."""
        with self._explaining.turn():
            return super().explain(*arguments, **options)

    def attribute_radar(self, *arguments: Any, **options: Any) -> tuple[NDArray[np.float32], ...]:
        """Return the returns' shares when it is this frame's turn among those to be explained."""
        with self._explaining.turn():
            return super().attribute_radar(*arguments, **options)
