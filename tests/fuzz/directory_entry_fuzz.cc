// What an LDAP directory says of people and groups: names, SIDs, GUIDs, times, flags and ranges of
// values, as attributes "name<tab>value", one a line, after a line with the distinguished name.
#include <string>
#include <string_view>

#include "libs/base/ascii.h"
#include "libs/directory/entry.h"
#include "libs/directory/sid.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

namespace {

directory::Entry EntryOf(std::string_view text) {
  directory::Entry entry;
  for (bool first = true; !text.empty(); first = false) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t tab = line.find('\t');
    if (first) {
      entry.distinguished_name = line;
    } else if (tab != line.npos) {
      // As libs/directory/connection.cc: names in small letters, values as they are.
      entry.attributes[LowerCase(line.substr(0, tab))].emplace_back(line.substr(tab + 1));
    }
  }
  return entry;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const directory::Entry entry = EntryOf(input.Text());
  if (const auto person = directory::ListedPersonOf(entry); person.ok()) {
    DT_CHECK(person->guid.size() == 16 && !person->account_name.empty());
    DT_CHECK(directory::SidFromText(person->sid).ok());
  }
  if (const auto group = directory::ListedGroupOf(entry); group.ok()) {
    DT_CHECK(group->guid.size() == 16 && !group->name.empty());
    DT_CHECK(directory::SidFromText(group->sid).ok());
  }
  for (const char* attribute : {"member", "memberof"}) {
    const auto range = directory::RangeOf(entry, attribute);
    if (range.ok() && *range) DT_CHECK(entry.attributes.contains((*range)->name));
  }
  DT_FUZZ_USE(directory::UserOf(entry));
  DT_FUZZ_USE(directory::ComputerOf(entry));
  return 0;
}
