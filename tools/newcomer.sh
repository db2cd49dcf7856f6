#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Do what README tells a newcomer, on a machine that has nothing: a fresh Debian or Ubuntu in a
# temporary folder, README's own apt line, a clone of this repository's HEAD, then `make STEP` for
# each step. Needs root and debootstrap. The mounts live in a namespace of their own, so they end
# with the script however it ends; the folder is deleted.
#
#   SUITE    release (default bookworm, which is Debian 12; Ubuntu: jammy, noble)
#   MIRROR   where its packages are (default: the distribution's own)
#   STEPS    make targets (default "demo test")
#   FOLDER   use this folder and keep it, instead of a temporary one; a second call keeps the system,
#            not the clone
#   SHARE    files and folders of this machine to show there read-only, at the same place: what its
#            network needs, such as certificates or a local package index
# Proxies, certificates and pip's settings are passed on where they are set in the environment.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${SUITE:-bookworm}
user=newcomer

say() { printf '\033[1m[newcomer]\033[0m %s\n' "$*"; }
fail() { printf '\033[1m[newcomer] %s\033[0m\n' "$*" >&2; exit 1; }

# Print the packages of README's first `sudo apt install` line.
packages_of_readme() {
    tools/readme.sh "See it, without ROS" | sed -n 's/^sudo apt install \([^#]*\).*/\1/p'
}

# Print NAME=value of the settings that reach the network, where they are set.
network_settings() {
    env | grep -iE '^(https?_proxy|no_proxy|PIP_[A-Z_]+|SSL_CERT_[A-Z]+|REQUESTS_CA_BUNDLE|TORCH_INDEX)=' \
        || true
}

inside() { # COMMAND...: as root in the new system
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root \
        DEBIAN_FRONTEND=noninteractive "${settings[@]}" "$@"
}

as_newcomer() { # COMMAND LINE: by a login shell of an ordinary user there
    inside HOME=/home/$user setpriv --reuid $user --regid $user --init-groups bash -lc "$1"
}

make_system() {
    [ -e "$root/.made" ] && return
    local mirror=${MIRROR:-} options=(--variant=minbase)
    case $suite in
        jammy | noble | resolute)
            mirror=${mirror:-http://archive.ubuntu.com/ubuntu}
            options+=(--components=main,universe) ;;
    esac
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || fail "debootstrap knows no release $suite"
    say "making $suite in $root"
    debootstrap "${options[@]}" "$suite" "$root" ${mirror:+"$mirror"} > "$root.log" 2>&1 \
        || { tail -20 "$root.log"; fail "debootstrap failed"; }
    rm -f "$root.log"
    touch "$root/.made"
}

enter_system() { # runs in a mount namespace of its own
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys" # without it OpenVINO does not find the processors
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" # DDS talks through it
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    mapfile -t settings < <(network_settings)

    read -r -a packages <<< "$(packages_of_readme)"
    [ ${#packages[@]} -gt 0 ] || fail "README.md has no line that begins with: sudo apt install"
    say "apt install ${packages[*]}"
    inside apt-get update -q
    inside apt-get install -q -y "${packages[@]}"

    local path
    for path in ${SHARE:-}; do
        [ -e "$path" ] || fail "SHARE names $path, which does not exist"
        mkdir -p "$root$(dirname "$path")"
        if [ -d "$path" ]; then mkdir -p "$root$path"; else touch "$root$path"; fi
        mount --bind "$path" "$root$path"
        mount -o remount,bind,ro "$root$path"
    done

    local clone=/home/$user/xd_rcdepth_ros step
    [ -d "$root/home/$user" ] || inside useradd --create-home --shell /bin/bash $user
    rm -rf "${root:?}$clone" # a kept folder has that of an earlier call
    git clone -q --no-hardlinks . "$root$clone"
    inside chown -R $user: "$clone"
    say "cloned $(git log -1 --format='%h %s')"
    for step in ${STEPS:-demo test}; do
        say "make $step"
        as_newcomer "cd $clone && make $step" || fail "make $step failed on $suite"
    done
    say "done on $suite: ${STEPS:-demo test}"
}

if [ "${1:-}" = --enter ]; then
    root=$2
    enter_system
    exit
fi

[ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root: sudo make newcomer"
command -v debootstrap > /dev/null || fail "debootstrap is missing: sudo apt install debootstrap"
if [ -n "${FOLDER:-}" ]; then
    root=$(realpath -m "$FOLDER")
    mkdir -p "$root"
else
    root=$(mktemp -d)
    chmod 755 "$root"
    trap 'rm -rf --one-file-system "$root" "$root.log"' EXIT
fi
make_system
unshare --mount --propagation private --pid --fork --kill-child "$0" --enter "$root"
