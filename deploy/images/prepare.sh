#!/bin/sh
# The tools of the first stage, from Debian as it was on one day.
#   sh prepare.sh ARCHIVE SECURITY_ARCHIVE    both empty: the base's own sources
set -eu

if [ -n "$1" ]; then
    rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    # An archive of the past says of itself that it has expired; its signature is checked all the same.
    for line in "$1 trixie main" "$2 trixie-security main"; do
        echo "deb [check-valid-until=no signed-by=$key] $line" >>/etc/apt/sources.list
    done
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
    ca-certificates python3.13 python3.13-venv >/dev/null
