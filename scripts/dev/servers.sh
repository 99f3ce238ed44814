#!/bin/sh
# Install the database servers that tests start, PostgreSQL and MariaDB, and the browser that they open reports in,
# Chromium, where they are missing and we may install.
# Tests that find none are skipped.
set -eu
missing=""
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="postgresql"
[ -x /usr/sbin/mariadbd ] && [ -x /usr/bin/my_print_defaults ] ||
    missing="$missing mariadb-server-core mariadb-client-core"
command -v chromium >/dev/null || missing="$missing chromium"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086  # Several words.
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
else
    echo "servers: tests on a server or in a browser are skipped; to run them: sudo apt-get install $missing" >&2
fi
