# SPDX-License-Identifier: Apache-2.0
"""Filters that pass messages on: a subscription, a cache, and two synchronizers by stamp."""

from message_filters.cache import Cache
from message_filters.simple_filter import SimpleFilter
from message_filters.subscriber import Subscriber
from message_filters.synchronizers import ApproximateTimeSynchronizer, TimeSynchronizer

__all__ = [
    "ApproximateTimeSynchronizer",
    "Cache",
    "SimpleFilter",
    "Subscriber",
    "TimeSynchronizer",
]
