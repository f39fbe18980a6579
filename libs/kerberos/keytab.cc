#include "libs/kerberos/keytab.h"

#include <fmt/format.h>

#include "libs/base/files.h"
#include "libs/base/ascii.h"
#include "libs/kerberos/handles.h"

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

absl::StatusOr<std::set<std::string>> RealmsOfKeytab(const std::string& path,
                                                     std::string_view service) {
  const krb5_context context = ThreadContext();
  const auto unreadable = [&](krb5_error_code code) {
    return absl::FailedPreconditionError(
        std::string(KrbError(context, code, "keytab " + path).message()));
  };
  if (context == nullptr) return absl::FailedPreconditionError("krb5.conf can't be used");
  krb5_keytab keytab = nullptr;
  krb5_error_code code = krb5_kt_resolve(context, ("FILE:" + path).c_str(), &keytab);
  if (code != 0) return unreadable(code);
  std::set<std::string> realms;
  krb5_kt_cursor cursor{};
  code = krb5_kt_start_seq_get(context, keytab, &cursor);
  if (code == 0) {
    krb5_keytab_entry entry{};
    while ((code = krb5_kt_next_entry(context, keytab, &entry, &cursor)) == 0) {
      char* name = nullptr;
      if (krb5_unparse_name_flags(context, entry.principal, KRB5_PRINCIPAL_UNPARSE_NO_REALM,
                                  &name) == 0) {
        const krb5_data& realm = entry.principal->realm;
        if (EqualIgnoringCase(name, service)) realms.emplace(realm.data, realm.length);
        krb5_free_unparsed_name(context, name);
      }
      krb5_free_keytab_entry_contents(context, &entry);
    }
    krb5_kt_end_seq_get(context, keytab, &cursor);
  }
  krb5_kt_close(context, keytab);
  if (code != KRB5_KT_END) return unreadable(code);
  return realms;
}

}  // namespace devicetrust::kerberos
