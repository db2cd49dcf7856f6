# SPDX-License-Identifier: Apache-2.0
"""Filters that pass messages on: a subscription, and a synchronizer by approximate stamp."""

from message_filters.approximate_time_synchronizer import ApproximateTimeSynchronizer
from message_filters.simple_filter import SimpleFilter
from message_filters.subscriber import Subscriber

__all__ = ["ApproximateTimeSynchronizer", "SimpleFilter", "Subscriber"]
