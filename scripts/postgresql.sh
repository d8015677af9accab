#!/usr/bin/env bash
# Runs a command beside a private PostgreSQL cluster, which goes away when the command ends.
# The command finds it in PARSEC_TEST_POSTGRESQL, the URL of its database `postgres`.
set -euo pipefail

(($#)) || { echo "Error: which command? (scripts/postgresql.sh COMMAND [ARGUMENT…])" >&2; exit 2; }

# Debian keeps the programs of a server out of PATH; the newest version is taken.
find_programs() {
	local found
	for found in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) $(pg_config --bindir 2>/dev/null || true); do
		[ -x "$found/initdb" ] && { echo "$found"; return; }
	done
	return 1
}

install_programs() {
	command -v apt-get >/dev/null || { echo "Error: PostgreSQL is missing (initdb, pg_ctl)" >&2; exit 1; }
	local as_root=(env)
	((EUID == 0)) || as_root=(sudo -n env)
	as_root+=(DEBIAN_FRONTEND=noninteractive)
	# Silent unless it fails.
	{ "${as_root[@]}" apt-get update -q && "${as_root[@]}" apt-get install -q -y --no-install-recommends postgresql; } \
		>"$folder/install.log" 2>&1 </dev/null || { cat "$folder/install.log" >&2; exit 1; }
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/parsec-postgresql-XXXXXX")
programs=
as_owner=(env)

remove() {
	if [ -f "$folder/data/postmaster.pid" ]; then
		"${as_owner[@]}" "$programs/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
	fi
	rm -rf "$folder"
}
trap remove EXIT
# Without these the command is left alone with a signal that was meant for both.
trap 'exit 130' INT
trap 'exit 143' TERM

programs=$(find_programs) || { install_programs; programs=$(find_programs); }
if ((EUID == 0)); then
	# initdb refuses to work for root.
	as_owner=(runuser -u postgres --)
	chown postgres: "$folder"
fi

cd "$folder"
"${as_owner[@]}" "$programs/initdb" -D data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US --no-sync \
	>initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
# Reached through a socket in a folder that only its owner may enter; nothing survives a crash.
"${as_owner[@]}" "$programs/pg_ctl" -D data -l "$folder/data/server.log" -w start -o \
	"-k $folder -c listen_addresses= -c max_connections=200 -c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
	>/dev/null || { cat "$folder/data/server.log" >&2; exit 1; }
cd "$OLDPWD"

PARSEC_TEST_POSTGRESQL="postgresql://postgres@/postgres?host=$folder" "$@"
