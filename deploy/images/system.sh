#!/bin/sh
# Makes /rootfs from Debian packages that are unpacked and never configured: no script of theirs runs, there is no
# package manager in it, no set-user-id file, and no folder that anybody but root can write to except /tmp.
#   sh system.sh PACKAGE|PACKAGE:FILE|PACKAGE:...    a whole package; that one file of it; nothing but its licence
set -eu
. "$(dirname "$0")/common.sh"

packages=$(mktemp -d)
cd "$packages"
mkdir -p /rootfs/var/lib/dpkg/status.d

unpack() { # package, then what tar is to take of it: nothing means everything
    package=$1
    shift
    dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x -C /rootfs --keep-directory-symlink \
        --exclude './usr/share/man/*' --exclude './usr/share/info/*' --exclude './usr/share/lintian/*' \
        --exclude './usr/share/locale/*' --exclude './usr/share/bug/*' "$@"
    # Where scanners look for what an image without a package database consists of.
    { dpkg-deb --field "$package"_*.deb | sed '/^Status:/d'; echo 'Status: install ok installed'; } \
        >"/rootfs/var/lib/dpkg/status.d/$package"
}

apt-get -o APT::Sandbox::User=root -qq download base-files $(for item in "$@"; do echo "${item%%:*}"; done)
unpack base-files # first: it has the links from /bin and /lib to /usr
for item in "$@"; do
    case $item in
    *:) unpack "${item%:}" "./usr/share/doc/${item%:}/copyright" ;;
    *:*) unpack "${item%%:*}" "./${item#*:}" "./usr/share/doc/${item%%:*}/copyright" ;;
    *) unpack "$item" ;;
    esac
done

cd /rootfs
mkdir -p etc/ssl/certs
cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/
printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\nnonroot:x:65532:\n' >etc/group
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >etc/nsswitch.conf
rm -rf boot home media root srv usr/games usr/include usr/local usr/src var/backups var/cache var/local var/log \
    var/mail var/opt var/spool var/tmp run/lock etc/cron* etc/init.d etc/logrotate.d usr/lib/systemd
find usr/share/doc -type f ! -name copyright -delete
find usr/share/doc -type l ! -name copyright ! -xtype d -delete
compile /rootfs/usr/lib/python3.13 -s /rootfs -p /
chmod -R u=rwX,go=rX .
chmod 1777 tmp
settle /rootfs
rm -rf "$packages"
