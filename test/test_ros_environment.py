# SPDX-License-Identifier: Apache-2.0
"""Environment variables of ROS by distribution, as upstream documents them."""

from pathlib import Path

import pytest

from xd_rcdepth_ros.ros_environment import fast_dds_profile, this_machine_only

PROFILE = Path("/share/large.xml")


@pytest.mark.parametrize(
    ("distribution", "variable"),
    [
        ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
        (None, "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_the_profile_is_named_by_the_variable_that_this_fast_dds_reads(distribution, variable):
    environment = {"ROS_DISTRO": distribution} if distribution else {}
    assert fast_dds_profile(environment, PROFILE) == {variable: "/share/large.xml"}
    assert fast_dds_profile({**environment, variable: "own.xml"}, PROFILE) == {variable: "own.xml"}


def test_humble_knows_only_the_old_way_to_stay_on_this_machine():
    assert this_machine_only({"ROS_DISTRO": "humble"}) == {"ROS_LOCALHOST_ONLY": "1"}
    new = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    assert this_machine_only({"ROS_DISTRO": "jazzy"}) == {new: "LOCALHOST"}
    assert this_machine_only({new: "SUBNET"}) == {new: "SUBNET"}
