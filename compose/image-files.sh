#!/bin/sh
# Lays out what each image holds, in /images/NAME: owners and modes as they will be in the image, and no time but the epoch's begin, so that the
# same files always make the same layer. Called by compose/Dockerfile, in Debian's image of Node; no image holds it.
set -eu

# licence FROM TO: for where the base image was stripped of them.
licence() { [ ! -e "$1" ] || install -D -m 644 "$1" "$2"; }

# linked DIR PROGRAM: the program, and the loader and libraries that it is linked with, at the same places below DIR. With each what Debian says
# of its package, by which scanners know what is in an image without a package manager.
linked() {
  for file in "$2" $(ldd "$2" | grep -o '/[^ ]*'); do
    [ ! -e "/images/node$file" ] || continue
    install -D "$file" "$1$file"
    real=$(realpath "$file")
    package=$(dpkg-query --search "$real" "${real#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1)
    [ -n "$package" ] || continue
    install -d "$1/var/lib/dpkg/status.d"
    dpkg-query --status "$package" >"$1/var/lib/dpkg/status.d/$package"
    licence "/usr/share/doc/$package/copyright" "$1/usr/share/doc/$package/copyright"
  done
}

# program NAME: its one file, and what the packages in it say of themselves.
program() {
  install -D -m 644 "/dist/$1.mjs" "/images/$1/app/$1.mjs"
  (cd "/dist/packages/$1" && find . -type f -exec install -D -m 644 {} "/images/$1/usr/share/doc/node_modules/{}" ';')
}

# Node has its own certificates and time zones.
linked /images/node "$(command -v node)"
licence /usr/local/LICENSE /images/node/usr/share/doc/nodejs/copyright
install -D -m 644 /etc/os-release /images/node/etc/os-release
cat >/images/node/etc/passwd <<END
root:x:0:0::/:/nonexistent
postern-proxy:x:10001:10001::/:/nonexistent
postern-healer:x:10002:10002::/:/nonexistent
sample-app:x:10003:10003::/:/nonexistent
END
# Of postern-sockets is who may use the proxy's sockets.
cat >/images/node/etc/group <<END
root:x:0:
postern-sockets:x:10000:
postern-proxy:x:10001:
postern-healer:x:10002:
sample-app:x:10003:
END
echo 'hosts: files dns' >/images/node/etc/nsswitch.conf

program proxy
# By which the proxy becomes its own user, for good.
linked /images/proxy /usr/bin/setpriv
install -d -o 10001 -g 10000 -m 2750 /images/proxy/run/postern
for policy in /policies/*.yaml; do
  install -D -m 644 "$policy" "/images/proxy$policy"
  install -d -o 10001 -g 10000 -m 2750 "/images/proxy/run/postern/$(basename "$policy" .yaml)"
done
install -d -o 10001 -g 10001 -m 750 /images/proxy/var/log/postern

program healer
install -d -o 10002 -g 10002 -m 750 /images/healer/var/lib/postern

program sample-app

find /images -exec touch --no-dereference --date=@0 {} +
