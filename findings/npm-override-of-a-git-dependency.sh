#!/usr/bin/env bash
# npm 9.2, which Debian 12 has, installs nothing when `overrides` names a package that a dependency takes from git.
#
# npm compares the override with the version that the dependency asks for, and reads a git address as a range of
# versions: "Invalid comparator". Without the override the same tree installs; npm 11 takes both.
# Why it matters: an override that was written with a newer npm, for instance because a dependency's git host is
# not reachable, is the end of `npm install` and `npm ci` for those who have Debian's. The lock file can name
# another source instead (tests/npm/package-lock.json).
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -euo pipefail
package=npm@9.2.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm install --silent --no-audit --no-fund --prefix npm "$package" > npm.log 2>&1 ||
  { echo "cannot fetch $package" >&2; exit 2; }
commit() { git -C "$1" add -A && git -C "$1" -c user.name=Ada -c user.email=ada@example.org commit -qm "$2" && git -C "$1" tag "$2"; }
for name in inner outer; do git init -q "$name"; done
echo '{"name": "inner", "version": "1.0.0"}' > inner/package.json
commit inner first
echo '{"name": "inner", "version": "1.1.0"}' > inner/package.json
commit inner second
echo "{\"name\": \"outer\", \"version\": \"1.0.0\", \"dependencies\": {\"inner\": \"git+file://$folder/inner#first\"}}" > outer/package.json
commit outer first

# One application, FIELDS in its package.json: what npm makes of it.
try() {
  rm -rf app && mkdir app
  echo "{\"name\": \"app\", \"version\": \"1.0.0\", \"dependencies\": {\"outer\": \"git+file://$folder/outer#first\"}$1}" > app/package.json
  (cd app && ../npm/node_modules/.bin/npm install --no-audit --no-fund --cache ../cache 2>&1) | sed "s#$folder#…#g"
}
echo "npm $(npm/node_modules/.bin/npm --version), node $(node --version)"
echo "without an override:"
try "" > without.log || true; cat without.log
echo "with one:"
try ", \"overrides\": {\"inner\": \"git+file://$folder/inner#second\"}" > with.log || true; cat with.log
grep -q "^added 2 packages" without.log || { echo "git dependencies cannot be installed here" >&2; exit 2; }
grep -q "Invalid comparator" with.log || { echo "it takes the override" >&2; exit 1; }
