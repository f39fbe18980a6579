// Text of a filter to its tree. For filter.cc alone.
#pragma once

#include <string>
#include <string_view>

#include "policy-engine/log/filter.h"

namespace devicetrust::policy {

class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) {}

  absl::StatusOr<EventExpression::Node> Parse();

 private:
  using Node = EventExpression::Node;
  using Operator = EventExpression::Operator;

  static Node Over(Node::Kind kind, Node first);  // A node with one child so far.

  absl::StatusOr<Node> ParseOr();
  absl::StatusOr<Node> ParseAnd();
  absl::StatusOr<Node> ParseTerm();
  absl::StatusOr<Node> ParseGroup(char closing);
  absl::StatusOr<Node> ParseComparison();
  absl::Status ResolveAttribute(std::string_view path, std::size_t at, Node& node);
  absl::Status ParseLiteral(std::string_view path, Node& node);
  absl::Status SetLiteral(std::string_view path, std::size_t at, EventExpression::Literal literal,
                          Node& node);
  absl::StatusOr<std::string> ParseString();
  absl::Status ParseEscape(std::string& out);

  void SkipBlanks();
  bool AtEnd() const { return at_ >= text_.size(); }
  std::string_view Word();                  // Of letters, digits, dot, dash, underscore.
  bool TakeKeyword(std::string_view word);  // "and", when it stands here as a whole word.
  absl::Status ErrorAt(std::size_t at, std::string what) const;

  const std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int terms_ = 0;
  bool in_target_ = false;
};

}  // namespace devicetrust::policy
