#include "simulator/forest/ldap/filter.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <unordered_set>
#include <utility>

namespace devicetrust::simulator {
namespace {

using Op = LdapFilter::Op;

constexpr BerTag kAndTag = 0xa0;
constexpr BerTag kOrTag = 0xa1;
constexpr BerTag kNotTag = 0xa2;
constexpr BerTag kEqualTag = 0xa3;
constexpr BerTag kSubstringTag = 0xa4;
constexpr BerTag kAtLeastTag = 0xa5;
constexpr BerTag kAtMostTag = 0xa6;
constexpr BerTag kPresentTag = 0x87;
constexpr BerTag kApproximateTag = 0xa8;
constexpr BerTag kExtensibleTag = 0xa9;

constexpr std::string_view kBitsAllRule = "1.2.840.113556.1.4.803";
constexpr std::string_view kBitsAnyRule = "1.2.840.113556.1.4.804";
constexpr std::string_view kInChainRule = "1.2.840.113556.1.4.1941";

absl::Status MalformedFilter() { return absl::InvalidArgumentError("malformed search filter"); }

std::optional<std::int64_t> ParseNumber(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// An item that compares `attribute` with `value` under `op`.
LdapFilter Comparison(Op op, std::string_view attribute, std::string_view value) {
  LdapFilter filter;
  const std::optional<LdapAttribute> known = FindLdapAttribute(attribute);
  if (!known) return filter;
  filter.attribute = *known;
  const LdapSyntax syntax = SyntaxOf(*known);
  if (syntax == LdapSyntax::kNumber) {
    const std::optional<std::int64_t> number = ParseNumber(value);
    if (!number) return filter;
    filter.number = *number;
  } else if (op == Op::kBitsAll || op == Op::kBitsAny) {
    return filter;
  }
  filter.value = CanonicalValue(syntax, value);
  filter.op = op;
  return filter;
}

absl::StatusOr<LdapFilter> ParseComparison(Op op, std::string_view content) {
  BerReader reader(content);
  DT_ASSIGN_OR_RETURN(const std::string_view attribute, reader.Next(kBerOctetString));
  DT_ASSIGN_OR_RETURN(const std::string_view value, reader.Next(kBerOctetString));
  if (!reader.AtEnd()) return MalformedFilter();
  return Comparison(op, attribute, value);
}

absl::StatusOr<LdapFilter> ParseSubstring(std::string_view content) {
  constexpr BerTag kInitial = 0x80;
  constexpr BerTag kAny = 0x81;
  constexpr BerTag kFinal = 0x82;
  BerReader reader(content);
  DT_ASSIGN_OR_RETURN(const std::string_view attribute, reader.Next(kBerOctetString));
  DT_ASSIGN_OR_RETURN(const std::string_view list, reader.Next(kBerSequence));
  if (!reader.AtEnd() || list.empty()) return MalformedFilter();
  const std::optional<LdapAttribute> known = FindLdapAttribute(attribute);
  LdapFilter filter;
  filter.parts.emplace_back();  // Initial.
  std::string final_part;
  bool ended = false;
  BerReader parts(list);
  for (bool first = true; !parts.AtEnd(); first = false) {
    DT_ASSIGN_OR_RETURN(const BerItem part, parts.Next());
    std::string text = CanonicalValue(LdapSyntax::kText, part.content);
    if (ended || text.empty()) return MalformedFilter();
    if (part.tag == kInitial && first) {
      filter.parts.front() = std::move(text);
    } else if (part.tag == kAny && filter.parts.size() < kLdapFilterNodesMax) {
      filter.parts.push_back(std::move(text));
    } else if (part.tag == kFinal) {
      final_part = std::move(text);
      ended = true;
    } else {
      return MalformedFilter();
    }
  }
  filter.parts.push_back(std::move(final_part));
  if (known && SyntaxOf(*known) == LdapSyntax::kText) {
    filter.op = Op::kSubstring;
    filter.attribute = *known;
  }
  return filter;
}

absl::StatusOr<LdapFilter> ParseExtensible(std::string_view content) {
  constexpr BerTag kRule = 0x81;
  constexpr BerTag kType = 0x82;
  constexpr BerTag kValue = 0x83;
  constexpr BerTag kDnAttributes = 0x84;
  std::string_view rule;
  std::string_view attribute;
  std::string_view value;
  BerReader reader(content);
  while (!reader.AtEnd()) {
    DT_ASSIGN_OR_RETURN(const BerItem item, reader.Next());
    if (item.tag == kRule) {
      rule = item.content;
    } else if (item.tag == kType) {
      attribute = item.content;
    } else if (item.tag == kValue) {
      value = item.content;
    } else if (item.tag != kDnAttributes) {
      return MalformedFilter();
    }
  }
  if (rule == kBitsAllRule) return Comparison(Op::kBitsAll, attribute, value);
  if (rule == kBitsAnyRule) return Comparison(Op::kBitsAny, attribute, value);
  if (rule.empty()) return Comparison(Op::kEqual, attribute, value);  // The attribute's own.
  if (rule == kInChainRule) {
    LdapFilter filter = Comparison(Op::kEqual, attribute, value);
    if (filter.attribute == LdapAttribute::kMemberOf) filter.op = Op::kInChain;
    return filter;
  }
  return LdapFilter{};
}

absl::StatusOr<LdapFilter> Parse(const BerItem& item, int depth, int& nodes) {
  if (depth > kLdapFilterDepthMax || ++nodes > kLdapFilterNodesMax) {
    return absl::ResourceExhaustedError("search filter is too deep or too large");
  }
  LdapFilter filter;
  switch (item.tag) {
    case kAndTag:
    case kOrTag:
    case kNotTag: {
      filter.op = item.tag == kAndTag ? Op::kAnd : item.tag == kOrTag ? Op::kOr : Op::kNot;
      BerReader reader(item.content);
      while (!reader.AtEnd()) {
        DT_ASSIGN_OR_RETURN(const BerItem child, reader.Next());
        DT_ASSIGN_OR_RETURN(LdapFilter parsed, Parse(child, depth + 1, nodes));
        filter.children.push_back(std::move(parsed));
      }
      if (filter.op == Op::kNot && filter.children.size() != 1) return MalformedFilter();
      return filter;
    }
    case kEqualTag:
    case kApproximateTag:  // Active Directory compares these alike.
      return ParseComparison(Op::kEqual, item.content);
    case kAtLeastTag:
      return ParseComparison(Op::kAtLeast, item.content);
    case kAtMostTag:
      return ParseComparison(Op::kAtMost, item.content);
    case kSubstringTag:
      return ParseSubstring(item.content);
    case kPresentTag:
      if (const auto known = FindLdapAttribute(item.content)) {
        filter.op = Op::kPresent;
        filter.attribute = *known;
      }
      return filter;
    case kExtensibleTag:
      return ParseExtensible(item.content);
    default:
      return MalformedFilter();
  }
}

bool MatchSubstring(const std::vector<std::string>& parts, std::string_view value) {
  if (!value.starts_with(parts.front())) return false;
  value.remove_prefix(parts.front().size());
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
    const std::size_t at = value.find(parts[i]);
    if (at == value.npos) return false;
    value.remove_prefix(at + parts[i].size());
  }
  return value.ends_with(parts.back());
}

bool MatchValue(const LdapFilter& filter, std::string_view value) {
  const LdapSyntax syntax = SyntaxOf(filter.attribute);
  if (filter.op == Op::kPresent) return true;
  if (syntax == LdapSyntax::kNumber) {
    const std::int64_t number = ParseNumber(value).value_or(0);
    switch (filter.op) {
      case Op::kEqual:
        return number == filter.number;
      case Op::kAtLeast:
        return number >= filter.number;
      case Op::kAtMost:
        return number <= filter.number;
      case Op::kBitsAll:
        return (number & filter.number) == filter.number;
      case Op::kBitsAny:
        return (number & filter.number) != 0;
      default:
        return false;
    }
  }
  if (syntax == LdapSyntax::kSid && filter.op == Op::kEqual) return value == filter.value;
  const std::string canonical = CanonicalValue(syntax, value);
  switch (filter.op) {
    case Op::kEqual:
      return canonical == filter.value;
    case Op::kAtLeast:
      return canonical >= filter.value;
    case Op::kAtMost:
      return canonical <= filter.value;
    case Op::kSubstring:
      return MatchSubstring(filter.parts, canonical);
    default:
      return false;
  }
}

// And: false as soon as one is; or: true as soon as one is; else undefined wins.
LdapTruth MatchList(const LdapFilter& filter, const LdapEntry& entry, const LdapEntries& entries,
                    LdapTruth decisive, LdapTruth otherwise) {
  for (const LdapFilter& child : filter.children) {
    const LdapTruth truth = MatchLdapFilter(child, entry, entries);
    if (truth == decisive) return decisive;
    if (truth == LdapTruth::kUndefined) otherwise = LdapTruth::kUndefined;
  }
  return otherwise;
}

std::optional<LdapEntry> FindDirectly(const LdapFilter& filter, std::uint32_t realm,
                                      const LdapEntries& entries) {
  switch (filter.attribute) {
    case LdapAttribute::kUserPrincipalName:
      return entries.FindPrincipal(filter.value);
    case LdapAttribute::kSamAccountName:
      return entries.FindAccountName(realm, filter.value);
    case LdapAttribute::kDistinguishedName:
      return entries.FindName(filter.value);
    default:
      return entries.FindSid(filter.value);
  }
}

bool HasIndex(LdapAttribute attribute) {
  return attribute == LdapAttribute::kUserPrincipalName ||
         attribute == LdapAttribute::kSamAccountName ||
         attribute == LdapAttribute::kDistinguishedName || attribute == LdapAttribute::kObjectSid;
}

// The primary group is in no memberOf, so not in its chain either.
bool IsInChain(const LdapFilter& filter, const LdapEntry& entry, const LdapEntries& entries) {
  if (entry.deleted) return false;
  const std::vector<std::uint32_t> rids = entries.GroupsThroughout(entry);
  return std::ranges::any_of(rids, [&](std::uint32_t rid) {
    const bool primary = entry.is_account() && rid == entry.row.account.primary_group_rid;
    return !primary && CanonicalName(entries.GroupDn(entry.realm, rid)) == filter.value;
  });
}

// Every entry once: several conditions may name the same one.
void RemoveDoubles(std::vector<LdapEntry>& list) {
  std::unordered_set<std::string> known;
  std::erase_if(list, [&known](const LdapEntry& entry) { return !known.insert(entry.dn).second; });
}

}  // namespace

absl::StatusOr<LdapFilter> ParseLdapFilter(const BerItem& item) {
  int nodes = 0;
  return Parse(item, 0, nodes);
}

LdapTruth MatchLdapFilter(const LdapFilter& filter, const LdapEntry& entry,
                          const LdapEntries& entries) {
  switch (filter.op) {
    case Op::kAnd:
      return MatchList(filter, entry, entries, LdapTruth::kFalse, LdapTruth::kTrue);
    case Op::kOr:
      return MatchList(filter, entry, entries, LdapTruth::kTrue, LdapTruth::kFalse);
    case Op::kNot: {
      const LdapTruth truth = MatchLdapFilter(filter.children.front(), entry, entries);
      if (truth == LdapTruth::kUndefined) return truth;
      return truth == LdapTruth::kTrue ? LdapTruth::kFalse : LdapTruth::kTrue;
    }
    case Op::kUndefined:
      return LdapTruth::kUndefined;
    case Op::kInChain:
      return IsInChain(filter, entry, entries) ? LdapTruth::kTrue : LdapTruth::kFalse;
    default:
      break;
  }
  bool found = false;
  entries.Values(entry, filter.attribute, [&filter, &found](std::string_view value) {
    found = found || MatchValue(filter, value);
  });
  return found ? LdapTruth::kTrue : LdapTruth::kFalse;
}

std::optional<LdapCandidates> CandidatesOf(const LdapFilter& filter, std::uint32_t realm,
                                           const LdapEntries& entries) {
  if (filter.op == Op::kAnd) {
    for (const LdapFilter& child : filter.children) {
      if (auto candidates = CandidatesOf(child, realm, entries)) {
        candidates->all_match = candidates->all_match && filter.children.size() == 1;
        return candidates;
      }
    }
    return std::nullopt;
  }
  if (filter.op == Op::kOr) {
    LdapCandidates all{.entries = {}, .all_match = true};
    for (const LdapFilter& child : filter.children) {
      auto candidates = CandidatesOf(child, realm, entries);
      if (!candidates) return std::nullopt;
      std::move(candidates->entries.begin(), candidates->entries.end(),
                std::back_inserter(all.entries));
      all.all_match = all.all_match && candidates->all_match;
    }
    if (all.entries.size() > 1) RemoveDoubles(all.entries);
    return all;
  }
  if (filter.op != Op::kEqual || !HasIndex(filter.attribute)) return std::nullopt;
  LdapCandidates one;
  // Names are looked up by rules of their own; SIDs have one form.
  one.all_match = filter.attribute == LdapAttribute::kObjectSid;
  if (auto entry = FindDirectly(filter, realm, entries); entry && entry->realm == realm) {
    one.entries.push_back(*std::move(entry));
  }
  return one;
}

std::optional<LdapPositions> PositionsOf(const LdapFilter& filter, std::uint32_t realm,
                                         const LdapEntries& entries) {
  if (filter.op == Op::kAnd) {
    for (const LdapFilter& child : filter.children) {
      auto positions = PositionsOf(child, realm, entries);
      if (!positions) continue;
      positions->all_match = positions->all_match && filter.children.size() == 1;
      return positions;
    }
    return std::nullopt;
  }
  if (filter.op == Op::kAtLeast && filter.attribute == LdapAttribute::kUsnChanged) {
    const auto usn = static_cast<std::uint64_t>(std::max(filter.number, std::int64_t{0}));
    return LdapPositions{entries.ChangedSince(realm, usn), /*all_match=*/false};
  }
  if (filter.op == Op::kEqual && filter.attribute == LdapAttribute::kMemberOf) {
    return LdapPositions{entries.MembersOf(realm, filter.value), /*all_match=*/true};
  }
  return std::nullopt;
}

}  // namespace devicetrust::simulator
