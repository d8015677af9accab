#!/usr/bin/env bash
# The real counterparts of some tests: smartcards (SoftHSM), a keyring, an authenticator, a scanner.
# Tests whose counterpart is absent skip and say so. Does nothing where all are there already.
set -euo pipefail

packages=(softhsm2 opensc gnome-keyring dbus oathtool zbar-tools)

command -v apt-get >/dev/null || {
  echo "Error: this needs apt-get (Debian, Ubuntu); the packages are: ${packages[*]}" >&2
  exit 1
}

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [[ $state == ii* ]] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q)
[ "$EUID" -eq 0 ] || apt=(sudo -n "${apt[@]}")

# Silent unless it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }; }

quietly "${apt[@]}" update
quietly "${apt[@]}" install -y --no-install-recommends "${missing[@]}"
