#include "libs/kerberos/keytab.h"

#include <fmt/format.h>

#include "libs/base/files.h"

namespace devicetrust::kerberos {
namespace {

constexpr std::uint32_t kNtPrincipal = 1;

void AppendNumber(std::uint64_t value, int bytes, std::string& out) {
  for (int i = bytes - 1; i >= 0; --i) {
    out += static_cast<char>((value >> (8U * static_cast<unsigned>(i))) & 0xffU);
  }
}

void AppendCounted(std::string_view text, std::string& out) {
  AppendNumber(text.size(), 2, out);
  out += text;
}

// MIT's doc/formats/keytab_file_format, file version 2: big-endian throughout.
absl::StatusOr<std::string> EntryBytes(const KeytabEntry& entry) {
  const std::size_t at = entry.principal.rfind('@');
  if (at == std::string::npos || at == 0 || entry.principal.size() > 512) {
    return absl::InvalidArgumentError(
        fmt::format("keytab: \"{}\" is not a name@REALM", entry.principal));
  }
  std::vector<std::string_view> components;
  std::string_view name = std::string_view(entry.principal).substr(0, at);
  for (std::size_t slash = 0; (slash = name.find('/')) != std::string_view::npos;) {
    components.push_back(name.substr(0, slash));
    name.remove_prefix(slash + 1);
  }
  components.push_back(name);

  std::string out;
  AppendNumber(components.size(), 2, out);
  AppendCounted(std::string_view(entry.principal).substr(at + 1), out);
  for (const std::string_view component : components) AppendCounted(component, out);
  AppendNumber(kNtPrincipal, 4, out);
  AppendNumber(static_cast<std::uint64_t>(entry.unix_seconds), 4, out);
  AppendNumber(entry.key.kvno & 0xffU, 1, out);
  AppendNumber(static_cast<std::uint64_t>(entry.key.enctype), 2, out);
  AppendCounted({reinterpret_cast<const char*>(entry.key.bytes.data()), entry.key.bytes.size()},
                out);
  AppendNumber(entry.key.kvno, 4, out);  // Again, for versions above 255.
  return out;
}

}  // namespace

absl::Status WriteKeytab(const std::string& path, std::span<const KeytabEntry> entries) {
  std::string file = {'\x05', '\x02'};
  for (const KeytabEntry& entry : entries) {
    DT_ASSIGN_OR_RETURN(const std::string bytes, EntryBytes(entry));
    AppendNumber(bytes.size(), 4, file);
    file += bytes;
  }
  return WriteFileAtomically(path, file, 0600);
}

}  // namespace devicetrust::kerberos
