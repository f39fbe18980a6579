// Filter expressions of the System Log: RFC 7644, section 3.4.2.2, over an event's JSON form.
//
//   eventType eq "pki.cert.revoke" and actor.alternateId sw "ada"
//   not (outcome.result eq "SUCCESS") and published ge "2026-06-01T00:00:00Z"
//   target[type eq "Device" and id eq "4f0c"] or debugContext.debugData.device_id eq "4f0c"
//
// Operators eq ne co sw ew gt ge lt le pr; and, or, not, parentheses; target[…], all of it about
// one target. Names and operators in any case. Texts compare as names do, identifiers (uuid,
// eventType, transaction.id) octet by octet. Of an attribute with several values one is enough, and
// `ne` is the negation of `eq`: it is true of an event that has none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "policy-engine/log/filter_attributes.h"

namespace devicetrust::policy {

inline constexpr std::size_t kFilterBytesMax = 4096;
inline constexpr int kFilterDepthMax = 32;   // Parentheses, brackets and nots, one in the other.
inline constexpr int kFilterTermsMax = 100;  // Comparisons.

// What must hold of each event that a filter matches, as indexes of the store know it. Nothing is
// said by what is empty.
struct FilterHints {
  std::vector<std::string> types;     // The type is one of these.
  std::vector<std::string> subjects;  // Each, folded, is an id or principal of actor or targets.
  std::optional<WallTime> since;      // Published then or later.
};

// Immutable, thread-safe.
class EventExpression {
 public:
  // kInvalidArgument, MALFORMED_REQUEST: says at which character what is wrong, and what was
  // perhaps meant.
  static absl::StatusOr<EventExpression> Parse(std::string_view text);

  bool Matches(const org::v1::Event& event) const;
  const FilterHints& hints() const { return hints_; }

 private:
  friend class FilterParser;
  // kNe only until the parser has made it the negation of kEq.
  enum class Operator { kEq, kNe, kCo, kSw, kEw, kGt, kGe, kLt, kLe, kPr };
  using Literal = std::variant<std::nullptr_t, bool, std::int64_t, std::string, WallTime>;
  struct Node {
    enum class Kind { kAnd, kOr, kNot, kCompare, kTarget } kind = Kind::kCompare;
    std::vector<Node> children;  // One of kNot and kTarget; none of kCompare.
    Attribute attribute = Attribute::kUuid;
    AttributeKind attribute_kind = AttributeKind::kText;
    std::string key;  // Of kDebugData.
    Operator op = Operator::kPr;
    Literal literal = nullptr;  // Texts of kText attributes are folded.
  };

  EventExpression() = default;
  static bool Holds(const Node& node, const org::v1::Event& event, const org::v1::Target* target);
  static bool Compare(const Node& node, const org::v1::Event& event, const org::v1::Target* target);
  static bool CompareText(const Node& node, std::string_view value);
  static void CollectHints(const Node& node, bool in_target, FilterHints& hints);

  Node root_;
  FilterHints hints_;
};

}  // namespace devicetrust::policy
