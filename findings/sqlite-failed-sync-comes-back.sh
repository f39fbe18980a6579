#!/usr/bin/env bash
# SQLite, WAL mode: a commit that failed because its sync failed is there again after its process
# was killed.
#
# The kernel keeps the pages that could not be synced as if they were clean. Who recovers the log
# reads the failed commit from there, whole, and shows it: until the machine stops, when it is gone.
# Why it matters: "the commit failed" means "not now", not "never", and what is built on the
# recovered commit is not on the disk (docs/adr/0020).
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -euo pipefail
sqlite=libsqlite3-0=3.40.1-2+deb12u2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

apt-get -qq download "$sqlite" 2>/dev/null || { echo "cannot fetch $sqlite" >&2; exit 2; }
dpkg -x ./*.deb package
cat > shim.c <<'C'
// Fails fdatasync() and fsync() of the log with EIO while the file "fail" exists.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static int fails(int fd) {
  char link[64], path[512];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof(path) - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return strstr(path, "store.db-wal") && access("fail", F_OK) == 0;
}
#define SYNC(name)                                                     \
  int name(int fd) {                                                   \
    if (fails(fd)) { errno = EIO; return -1; }                         \
    return ((int (*)(int))dlsym(RTLD_NEXT, #name))(fd);                \
  }
SYNC(fsync)
SYNC(fdatasync)
C
cc -shared -fPIC -o shim.so shim.c -ldl
cat > writer.py <<'P'
import os, signal, sqlite3
store = sqlite3.connect("store.db", isolation_level=None)
store.execute("PRAGMA journal_mode=WAL")
store.execute("PRAGMA synchronous=FULL")
store.execute("CREATE TABLE t (name TEXT)")
store.execute("INSERT INTO t VALUES ('synced')")
open("fail", "w").close()
try:
    store.execute("INSERT INTO t VALUES ('refused')")
    print("the second commit was answered with success", flush=True)
except sqlite3.OperationalError as error:
    print(f"the second commit was answered with: {error}", flush=True)
rows = [row[0] for row in store.execute("SELECT name FROM t")]
print(f"its connection reads afterwards:     {rows}", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
P
cat > reader.py <<'P'
import sqlite3
store = sqlite3.connect("store.db")
print([row[0] for row in store.execute("SELECT name FROM t ORDER BY rowid")])
P
export LD_LIBRARY_PATH=$folder/package/usr/lib/x86_64-linux-gnu
# The interpreter of Debian: it takes the SQLite that the path above leads to.
/usr/bin/python3 -c 'import sqlite3; print("SQLite", sqlite3.sqlite_version)'
/usr/bin/python3 -c 'import sqlite3; print(open("/proc/self/maps").read())' | grep -q "$folder/package" ||
  { echo "the interpreter took another SQLite" >&2; exit 2; }
bash -c "LD_PRELOAD=$folder/shim.so /usr/bin/python3 writer.py; true" > writer.txt 2> /dev/null
cat writer.txt
rm -f fail
after=$(/usr/bin/python3 reader.py)
echo "who opens the store next reads:      $after"
grep -q "answered with: disk I/O error" writer.txt || { echo "changed: the failed sync was not reported" >&2; exit 1; }
grep -q "afterwards: *\['synced'\]" writer.txt || { echo "changed: the failed commit was visible at once" >&2; exit 1; }
[ "$after" = "['synced', 'refused']" ] || { echo "changed: the failed commit did not come back" >&2; exit 1; }
echo "as described"
