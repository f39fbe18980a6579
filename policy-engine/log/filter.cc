#include "policy-engine/log/filter.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/filter_parser.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

namespace {

std::optional<std::int64_t> WholeNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

absl::StatusOr<EventExpression> EventExpression::Parse(std::string_view text) {
  FilterParser parser(text);
  EventExpression expression;
  DT_ASSIGN_OR_RETURN(expression.root_, parser.Parse());
  CollectHints(expression.root_, false, expression.hints_);
  return expression;
}

bool EventExpression::Matches(const v1::Event& event) const { return Holds(root_, event, nullptr); }

bool EventExpression::Holds(const Node& node, const v1::Event& event, const v1::Target* target) {
  switch (node.kind) {
    case Node::Kind::kAnd:
      return std::ranges::all_of(node.children,
                                 [&](const Node& one) { return Holds(one, event, target); });
    case Node::Kind::kOr:
      return std::ranges::any_of(node.children,
                                 [&](const Node& one) { return Holds(one, event, target); });
    case Node::Kind::kNot:
      return !Holds(node.children.front(), event, target);
    case Node::Kind::kTarget:
      return std::ranges::any_of(event.targets(), [&](const v1::Target& one) {
        return Holds(node.children.front(), event, &one);
      });
    case Node::Kind::kCompare:
      break;
  }
  return Compare(node, event, target);
}

namespace {

// Of two values that can be ordered, by an operator that orders.
template <typename Operator, typename T>
bool Ordered(Operator op, const T& value, const T& literal) {
  switch (op) {
    case Operator::kEq:
      return value == literal;
    case Operator::kGt:
      return value > literal;
    case Operator::kGe:
      return value >= literal;
    case Operator::kLt:
      return value < literal;
    case Operator::kLe:
      return value <= literal;
    default:
      return false;
  }
}

}  // namespace

bool EventExpression::Compare(const Node& node, const v1::Event& event, const v1::Target* target) {
  const bool is_null = std::holds_alternative<std::nullptr_t>(node.literal);
  if (node.attribute_kind == AttributeKind::kTime ||
      node.attribute_kind == AttributeKind::kNumber) {
    if (is_null) return node.op == Operator::kPr;  // Every event has them.
    if (node.attribute_kind == AttributeKind::kNumber) {
      return Ordered(node.op, event.sequence(), std::get<std::int64_t>(node.literal));
    }
    return Ordered(node.op, rpc::FromTimestamp(event.at()), std::get<WallTime>(node.literal));
  }
  if (is_null) {
    const bool present = AnyValue(event, target, node.attribute, node.key,
                                  [](std::string_view /*value*/) { return true; });
    return node.op == Operator::kPr ? present : !present;
  }
  return AnyValue(event, target, node.attribute, node.key,
                  [&node](std::string_view value) { return CompareText(node, value); });
}

bool EventExpression::CompareText(const Node& node, std::string_view value) {
  if (const auto* const truth = std::get_if<bool>(&node.literal)) {
    return EqualIgnoringCase(value, *truth ? "true" : "false");
  }
  if (const auto* const number = std::get_if<std::int64_t>(&node.literal)) {
    const std::optional<std::int64_t> own = WholeNumber(value);
    return own && Ordered(node.op, *own, *number);
  }
  const auto& literal = std::get<std::string>(node.literal);
  const std::string folded =
      node.attribute_kind == AttributeKind::kExact ? std::string(value) : FoldName(value);
  switch (node.op) {
    case Operator::kCo:
      return folded.find(literal) != std::string::npos;
    case Operator::kSw:
      return folded.starts_with(literal);
    case Operator::kEw:
      return folded.ends_with(literal);
    default:
      return Ordered(node.op, folded, literal);
  }
}

// A conjunction must hold in all its parts, a disjunction says something only when all its parts
// name types.
void EventExpression::CollectHints(const Node& node, bool in_target, FilterHints& hints) {
  switch (node.kind) {
    case Node::Kind::kAnd:
      for (const Node& one : node.children) CollectHints(one, in_target, hints);
      return;
    case Node::Kind::kTarget:
      CollectHints(node.children.front(), true, hints);
      return;
    case Node::Kind::kOr: {
      std::vector<std::string> types;
      for (const Node& one : node.children) {
        FilterHints part;
        CollectHints(one, in_target, part);
        if (part.types.empty()) return;
        types.insert(types.end(), part.types.begin(), part.types.end());
      }
      if (hints.types.empty()) hints.types = std::move(types);
      return;
    }
    case Node::Kind::kNot:
      return;
    case Node::Kind::kCompare:
      break;
  }
  if (node.attribute == Attribute::kPublished) {
    const auto* const time = std::get_if<WallTime>(&node.literal);
    const bool bounds = time != nullptr && (node.op == Operator::kGe || node.op == Operator::kGt ||
                                            node.op == Operator::kEq);
    if (bounds && (!hints.since || *hints.since < *time)) hints.since = *time;
    return;
  }
  const auto* const text = std::get_if<std::string>(&node.literal);
  if (text == nullptr || node.op != Operator::kEq || text->empty()) return;
  switch (node.attribute) {
    case Attribute::kEventType:
      if (hints.types.empty()) hints.types = {*text};
      return;
    case Attribute::kActorId:
    case Attribute::kActorAlternateId:
    case Attribute::kTargetId:
    case Attribute::kTargetAlternateId:
      hints.subjects.push_back(*text);
      return;
    case Attribute::kDebugData:
      if (EqualIgnoringCase(node.key, "device_id")) hints.subjects.push_back(*text);
      return;
    default:
      return;
  }
}

}  // namespace devicetrust::policy
