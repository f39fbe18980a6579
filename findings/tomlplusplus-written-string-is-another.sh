#!/usr/bin/env bash
# toml++ writes a string of several lines so that it is read back as another.
#
# It puts such a string between ''' as it is. What TOML says of that form is not looked at: a line
# break right behind the opening quotes is not part of the string, and ''' inside ends it.
# Why it matters: a program that reads TOML and writes it again changes values in silence, and a text
# from outside that it writes as a value may bring keys of its own. libs/service/toml.cc reads with
# toml++ and writes with quotes and escapes alone.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -euo pipefail
toml=libtomlplusplus-dev=3.3.0+ds-1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

apt-get -qq download "$toml" 2>/dev/null || { echo "cannot fetch $toml" >&2; exit 2; }
dpkg -x ./*.deb package
cat > twice.cc <<'C'
// Reads a document, writes it, reads what was written. 0: one value changed and one key is new.
#include <toml++/toml.h>

#include <iostream>
#include <sstream>

int main() {
  const toml::table first = toml::parse(
      "note = \"\\nbegins on its second line\"\n"
      "text = \"one\\n'''\\nadmin = true\\nrest = '''\"\n");
  std::ostringstream written;
  written << first;
  std::cout << written.str() << "\n";
  const toml::table second = toml::parse(written.str());
  for (const auto& [key, node] : second) {
    std::cout << key.str() << ": ";
    if (!first.contains(key)) {
      std::cout << "new\n";
    } else if (first[key.str()].value<std::string>() == node.value<std::string>()) {
      std::cout << "the same\n";
    } else {
      std::cout << "another value\n";
    }
  }
  const bool lost = second["note"].value<std::string>() == "begins on its second line";
  return lost && second["admin"].value_or(false) ? 0 : 1;
}
C
c++ -std=c++17 -I package/usr/include twice.cc -o twice || { echo "cannot compile" >&2; exit 2; }
echo "toml++ $(basename ./*.deb | cut -d_ -f2)"
./twice || { echo "it writes what it read" >&2; exit 1; }
