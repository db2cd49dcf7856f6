# Depth node and offline tools on ROS 2.
#
#   docker build -t xd_rcdepth_ros .                                                    CPU
#   docker build -t xd_rcdepth_ros:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 .
#   docker run --rm -it --net host --ipc host [--gpus all] xd_rcdepth_ros \
#       ros2 launch xd_rcdepth_ros depth.launch.py image:=/camera/image radar_topics:=/radar/points
#
# The CUDA build needs no other base: PyTorch's wheels bring the CUDA libraries, and the host's
# container toolkit the driver. --ipc host lets Fast DDS use shared memory with the host.
ARG ROS_DISTRO=jazzy
FROM ros:${ROS_DISTRO}-ros-base

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV DEBIAN_FRONTEND=noninteractive

RUN apt-get update \
    && apt-get install -y --no-install-recommends make g++ python3-venv python3-dev ros-dev-tools \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/xd_rcdepth_ros
# First what rarely changes, so that a change of code downloads nothing again.
COPY package.xml ./
RUN apt-get update && rosdep update --rosdistro "$ROS_DISTRO" \
    && rosdep install --from-paths . --ignore-src -y --rosdistro "$ROS_DISTRO" \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN . "/opt/ros/$ROS_DISTRO/setup.sh" && TORCH_INDEX="$TORCH_INDEX" make setup \
    && rm -rf /root/.cache

# ros-base's own entry point sources ROS; this one adds the workspace.
RUN printf '%s\n' '#!/bin/bash' 'set -e' '. "/opt/ros/$ROS_DISTRO/setup.bash"' \
        '. /opt/xd_rcdepth_ros/install/setup.bash' 'exec "$@"' > /entrypoint.sh \
    && chmod +x /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "xd_rcdepth_ros", "depth.launch.py"]
