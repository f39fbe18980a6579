#!/usr/bin/env bash
# Run by tools/setup as root: PACKAGE... -- OPTIONAL... Installs them, without starting or enabling
# any service that comes with them. It fails when one before the dashes can't be had.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

# Asked by each package's scripts before they start a service; 101 means no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

# A source that does not answer is no reason to stop while the others have what is needed.
apt-get update -q || echo "some package sources did not answer; going on with what is known"
needed=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  needed+=("$1")
  shift
done
if [ $# -gt 0 ]; then shift; fi
if [ ${#needed[@]} -gt 0 ]; then apt-get install -q -y --no-install-recommends "${needed[@]}"; fi
if [ $# -gt 0 ]; then
  apt-get install -q -y --no-install-recommends "$@" || echo "going on without: $*"
fi

# They start with the programs of this project, or not at all.
if command -v systemctl >/dev/null; then
  for package in "${needed[@]}" "$@"; do
    case "$package" in
      libapache2-mod-shib) systemctl disable -q shibd.service || true ;;
      krb5-kdc) systemctl disable -q krb5-kdc.service || true ;;
      nginx-light) systemctl disable -q nginx.service || true ;;
      samba) systemctl disable -q samba-ad-dc.service smbd.service nmbd.service || true ;;
      winbind) systemctl disable -q winbind.service || true ;;
    esac
  done
fi
