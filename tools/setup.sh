#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make .venv and the colcon workspace. Each stage leaves a stamp when it is done, so a second call
# does nothing, and a call after a broken download goes on where the first one stopped.
#
#   PYTHON        interpreter to start from (default python3)
#   TORCH_INDEX   further package index for PyTorch, such as https://download.pytorch.org/whl/cpu
#   ROS_DISTRO    set by a sourced ROS 2: then that ROS is used, and no ROS wheel is installed
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=$PWD/.venv
stamps=$venv/.stamps

say() { printf '\033[1m[setup]\033[0m %s\n' "$*"; }
join() { local IFS=,; echo "$*" | sed 's/,/, /g'; }
fail() { printf '\033[1m[setup] %s\033[0m\n' "$*" >&2; exit 1; }

# done_already NAME FILE...: true if stage NAME has run with exactly these files.
done_already() {
    local name=$1; shift
    sum=$(cat "$@" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$stamps/$name" 2>/dev/null)" = "$sum" ]
}

finished() { mkdir -p "$stamps"; echo "$sum" > "$stamps/$1"; }

install() {
    local index=()
    [ -n "${TORCH_INDEX:-}" ] && index=(--extra-index-url "$TORCH_INDEX")
    "$venv/bin/python" -m pip install --disable-pip-version-check --retries 10 --timeout 60 \
        --progress-bar on -q "${index[@]}" "$@"
}

# need NAME PACKAGE COMMAND...: note NAME as missing, and the PACKAGE that has it, if COMMAND fails.
need() { "${@:3}" > /dev/null 2>&1 || { missing+=("$1"); packages+=("$2"); }; }

check_machine() { # names all that is missing at once
    local missing=() packages=()
    need "$python" python3 command -v "$python"
    need g++ g++ command -v g++
    if command -v "$python" > /dev/null; then
        need "venv of $python" python3-venv "$python" -c 'import ensurepip, venv'
        need "Python.h of $python" python3-dev "$python" -c 'import os, sysconfig
os.stat(sysconfig.get_path("include") + "/Python.h")'
    fi
    need make make command -v make # builds what cmake prepares
    if [ -n "${ROS_DISTRO:-}" ]; then
        need cmake cmake command -v cmake
        need colcon python3-colcon-common-extensions command -v colcon
    fi
    [ ${#missing[@]} = 0 ] || fail "missing: $(join "${missing[@]}"). \
On Debian or Ubuntu: sudo apt install ${packages[*]}"
    [ -n "${ROS_DISTRO:-}" ] && return
    case $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') in
        3.11 | 3.12) ;;
        *) fail "$("$python" --version) is not among the versions that the ROS wheels are pinned \
for (3.11, 3.12). Name another interpreter, as in: make setup PYTHON=python3.11, or source ROS 2." ;;
    esac
}

make_environment() {
    local options=()
    [ -n "${ROS_DISTRO:-}" ] && options=(--system-site-packages)
    [ -x "$venv/bin/python" ] && [ -e "$venv/bin/pip" ] && return
    say "making $venv"
    "$python" -m venv "${options[@]}" "$venv" || fail "$python -m venv failed"
}

install_packages() {
    local files=(requirements/python.txt requirements/ros.txt)
    [ -n "${ROS_DISTRO:-}" ] && files=(requirements/with_ros.txt)
    done_already packages "${files[@]}" requirements/oracles.txt && return
    say "installing packages (some hundred MB at the first time)"
    local constraints=()
    if [ -n "${ROS_DISTRO:-}" ]; then
        # apt's OpenCV and cv_bridge are built for apt's NumPy: another one breaks them.
        "$venv/bin/python" -c 'import numpy; print("numpy==" + numpy.__version__)' \
            > "$venv/.numpy.txt" || fail "NumPy is missing. In this folder: rosdep install --from-paths . --ignore-src -y"
        constraints=(-c "$venv/.numpy.txt")
    fi
    install "${files[@]/#/-r}" "${constraints[@]}"
    install --no-deps -r requirements/oracles.txt
    finished packages
}

install_ros_names() { # the upstream-named Python packages that PyPI lacks, and `ros2`
    done_already names pypi_ros/pyproject.toml && return
    say "installing pypi_ros"
    install --no-deps --no-build-isolation -e pypi_ros
    finished names
}

build_workspace() {
    local sources=()
    mapfile -t sources < <(find CMakeLists.txt package.xml cmake msg launch config rviz viz models \
        pypi_ros/interfaces -type f ! -name '*.partial' | sort)
    # New or renamed modules need new links, so the list of names counts as well.
    find xd_rcdepth_ros launch config rviz viz models -type f ! -path '*__pycache__*' | sort \
        > "$venv/.names"
    done_already workspace "${sources[@]}" "$venv/.names" && return
    say "building the workspace"
    local cmake=(-DPython3_EXECUTABLE="$venv/bin/python3")
    if [ -n "${ROS_DISTRO:-}" ]; then
        colcon --log-base log build --base-paths . --symlink-install --cmake-args "${cmake[@]}"
    else
        "$venv/bin/python" tools/correct_wheels.py
        # Installed into the environment itself: then no variable needs to be set at run time.
        PATH=$venv/bin:$PATH AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv \
            "$venv/bin/colcon" --log-base log build --merge-install --install-base "$venv" \
            --symlink-install --event-handlers console_direct- --base-paths . \
            pypi_ros/interfaces/tf2_msgs pypi_ros/interfaces/radar_msgs --cmake-args "${cmake[@]}" \
            -DBUILD_TESTING=OFF > "$venv/.build.log" 2>&1 || { tail -40 "$venv/.build.log"; fail "the build failed"; }
    fi
    finished workspace
}

check_machine
make_environment
install_packages
[ -n "${ROS_DISTRO:-}" ] || install_ros_names
build_workspace
say "ready"
