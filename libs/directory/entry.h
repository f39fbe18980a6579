// What entries say: the attributes of an answer, read strictly. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/directory/directory.h"
#include "libs/directory/listing.h"

namespace devicetrust::directory {

// Attribute name in lower case -> values (text or binary).
struct Entry {
  std::string distinguished_name;
  std::map<std::string, std::vector<std::string>, std::less<>> attributes;
};

// Null: it has none.
const std::vector<std::string>* ValuesOf(const Entry& entry, std::string_view name);
std::string FirstOf(const Entry& entry, std::string_view name);  // "": none.

// kInternal: what makes an account is missing, or no SID; may the service account read it?
absl::StatusOr<User> UserOf(const Entry& entry);
absl::StatusOr<Computer> ComputerOf(const Entry& entry);
absl::StatusOr<ListedPerson> ListedPersonOf(const Entry& entry);
absl::StatusOr<ListedGroup> ListedGroupOf(const Entry& entry);
// Nothing: it is with something else than a domain of Active Directory.
absl::StatusOr<std::optional<Trust>> TrustOf(const Entry& entry);
absl::StatusOr<std::string> GuidOf(const Entry& entry);

// An attribute with more values than are given at once ([MS-ADTS] 3.1.1.3.1.3.3) is called
// "memberof;range=0-1499", and the last part "memberof;range=1500-*".
struct ValueRange {
  std::string name;      // As it stands in the entry.
  std::size_t next = 0;  // First value that is not here; 0: there is no more.
};
// Nothing: the attribute is there as a whole, or not at all. kInternal: the range is malformed.
absl::StatusOr<std::optional<ValueRange>> RangeOf(const Entry& entry, std::string_view attribute);

}  // namespace devicetrust::directory
