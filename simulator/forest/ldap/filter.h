// Search filters (RFC 4511, section 4.5.1.7): parsing, and three-valued matching.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/forest/ldap/ber.h"
#include "simulator/forest/ldap/entry.h"

namespace devicetrust::simulator {

struct LdapFilter {
  enum class Op {
    kAnd,
    kOr,
    kNot,
    kEqual,
    kSubstring,
    kAtLeast,
    kAtMost,
    kPresent,
    kBitsAll,    // Matching rule 1.2.840.113556.1.4.803.
    kBitsAny,    // Matching rule 1.2.840.113556.1.4.804.
    kInChain,    // 1.2.840.113556.1.4.1941, of memberOf: through other groups too.
    kUndefined,  // Attribute, rule or value that nobody can compare.
  };

  Op op = Op::kUndefined;
  LdapAttribute attribute = LdapAttribute::kObjectClass;
  std::string value;                 // Canonical.
  std::int64_t number = 0;           // Of a number attribute.
  std::vector<std::string> parts;    // Of a substring: initial, any…, final; ends may be empty.
  std::vector<LdapFilter> children;  // Of kAnd, kOr, kNot (one).
};

inline constexpr int kLdapFilterDepthMax = 16;
inline constexpr int kLdapFilterNodesMax = 250;

// Errors: kInvalidArgument malformed; kResourceExhausted deeper or larger than the
// limits above (neither memory nor stack is spent beyond them).
absl::StatusOr<LdapFilter> ParseLdapFilter(const BerItem& item);

enum class LdapTruth { kFalse, kTrue, kUndefined };
LdapTruth MatchLdapFilter(const LdapFilter& filter, const LdapEntry& entry,
                          const LdapEntries& entries);

// The entries that alone can match, each once, when indexes of the table can tell; nothing
// when only a scan can.
struct LdapCandidates {
  std::vector<LdapEntry> entries;
  bool all_match = false;  // Else they still have to be matched.
};
std::optional<LdapCandidates> CandidatesOf(const LdapFilter& filter, std::uint32_t realm,
                                           const LdapEntries& entries);

// The same of what whole lists answer to: where they are, in order.
struct LdapPositions {
  std::vector<LdapPosition> positions;
  bool all_match = false;
};
std::optional<LdapPositions> PositionsOf(const LdapFilter& filter, std::uint32_t realm,
                                         const LdapEntries& entries);

}  // namespace devicetrust::simulator
