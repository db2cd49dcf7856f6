# SPDX-License-Identifier: Apache-2.0
"""One model in memory for several cameras: users with the same options get the same estimator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import DepthResult
from xd_rcdepth_ros.inference.estimator import DepthEstimator


class SharedEstimator(DepthEstimator):
    """An estimator that several threads use, one frame at a time, in the order of asking.

    The network runs in one thread and explanations in another, so no camera waits for ever, and the
    libraries keep working memory for these two threads alone. All is released with its last user.
    """

    _loading = Lock()
    _loaded: ClassVar[WeakValueDictionary[tuple[Any, ...], SharedEstimator]] = WeakValueDictionary()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._network = ThreadPoolExecutor(1, "shared network")
        self._explainer = ThreadPoolExecutor(1, "shared explanations")
        self._warm = False

    @classmethod
    def load(cls, *arguments: Any, **options: Any) -> SharedEstimator:
        """Load a model file, or return the one that was loaded with the same options."""
        key = (*arguments, *sorted(options.items()))
        with cls._loading:
            estimator = cls._loaded.get(key)
            if estimator is None:
                loaded = super().load(*arguments, **options)
                assert isinstance(loaded, SharedEstimator)
                cls._loaded[key] = estimator = loaded
            return estimator

    def warm_up(self, *arguments: Any, **options: Any) -> None:
        """Warm up once for all users."""
        if not self._warm:
            super().warm_up(*arguments, **options)
            self._warm = True

    def infer(self, *arguments: Any, **options: Any) -> DepthResult:
        """Run the network when it is this frame's turn."""
        return self._network.submit(super().infer, *arguments, **options).result()

    def explain(self, *arguments: Any, **options: Any) -> NDArray[np.float32]:
        """Return a saliency map when it is this frame's turn among those to be explained."""
        return self._explainer.submit(super().explain, *arguments, **options).result()

    def attribute_radar(self, *arguments: Any, **options: Any) -> tuple[NDArray[np.float32], ...]:
        """Return the returns' shares when it is this frame's turn among those to be explained."""
        return self._explainer.submit(super().attribute_radar, *arguments, **options).result()
