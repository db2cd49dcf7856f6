# SPDX-License-Identifier: Apache-2.0
"""Part of the ROS package ``launch`` for machines without ROS; see the README of ``pypi_ros``."""

from launch import actions, conditions, event_handlers, events, logging, substitutions
from launch.action import Action
from launch.conditions import Condition
from launch.event import Event
from launch.event_handler import EventHandler
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_description_entity import LaunchDescriptionEntity, SomeEntitiesType
from launch.launch_description_sources import InvalidLaunchFileError
from launch.launch_service import LaunchService
from launch.not_offered import names_the_upstream_package
from launch.substitution import SomeSubstitutionsType, Substitution

__all__ = [
    "Action",
    "Condition",
    "Event",
    "EventHandler",
    "InvalidLaunchFileError",
    "LaunchContext",
    "LaunchDescription",
    "LaunchDescriptionEntity",
    "LaunchService",
    "SomeEntitiesType",
    "SomeSubstitutionsType",
    "Substitution",
    "actions",
    "conditions",
    "event_handlers",
    "events",
    "logging",
    "substitutions",
]

__getattr__ = names_the_upstream_package(__name__, "launch")
