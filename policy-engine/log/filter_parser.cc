#include "policy-engine/log/filter_parser.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/base/printable.h"
#include "libs/base/utc_time.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

constexpr std::size_t kFilterShownBytesMax = 40;

bool IsPathCharacter(char c) { return IsAlnum(c) || c == '.' || c == '-' || c == '_'; }
bool IsFilterBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string Shown(std::string_view text) { return Printable(CutText(text, kFilterShownBytesMax)); }

void AppendUtf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

// Four hex digits at the front of `text`; -1: there are none.
int FourHexDigits(std::string_view text) {
  if (text.size() < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = HexValue(text[static_cast<std::size_t>(i)]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// With its fraction, which ParseUtc() drops.
absl::StatusOr<WallTime> ParsePublished(const std::string& text) {
  DT_ASSIGN_OR_RETURN(const WallTime whole, ParseUtc(text));
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos) return whole;
  std::string digits = text.substr(dot + 1, text.size() - dot - 2);
  digits.resize(9, '0');
  std::int64_t nanos = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), nanos);
  return whole + std::chrono::nanoseconds(nanos);
}

}  // namespace

absl::Status FilterParser::ErrorAt(std::size_t at, std::string what) const {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        fmt::format("filter, character {}: {}", at + 1, what), {},
                        "docs/system-log.md has the attributes and examples of filters.");
}

EventExpression::Node FilterParser::Over(Node::Kind kind, Node first) {
  Node node;
  node.kind = kind;
  node.children.push_back(std::move(first));
  return node;
}

void FilterParser::SkipBlanks() {
  while (!AtEnd() && IsFilterBlank(text_[at_])) ++at_;
}

std::string_view FilterParser::Word() {
  SkipBlanks();
  const std::size_t begin = at_;
  while (!AtEnd() && IsPathCharacter(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

bool FilterParser::TakeKeyword(std::string_view word) {
  const std::size_t before = at_;
  if (EqualIgnoringCase(Word(), word)) return true;
  at_ = before;
  return false;
}

absl::StatusOr<EventExpression::Node> FilterParser::Parse() {
  if (text_.size() > kFilterBytesMax) {
    return ErrorAt(kFilterBytesMax, fmt::format("a filter has at most {} bytes, this one has {}",
                                                kFilterBytesMax, text_.size()));
  }
  DT_ASSIGN_OR_RETURN(Node root, ParseOr());
  SkipBlanks();
  if (AtEnd()) return root;
  if (text_[at_] == ')' || text_[at_] == ']') {
    return ErrorAt(at_, fmt::format("a \"{}\" without its opening", text_[at_]));
  }
  return ErrorAt(
      at_, fmt::format("\"and\" or \"or\" is missing before \"{}\"", Shown(text_.substr(at_))));
}

absl::StatusOr<EventExpression::Node> FilterParser::ParseOr() {
  DT_ASSIGN_OR_RETURN(Node first, ParseAnd());
  if (!TakeKeyword("or")) return first;
  Node node = Over(Node::Kind::kOr, std::move(first));
  do {
    DT_ASSIGN_OR_RETURN(Node next, ParseAnd());
    node.children.push_back(std::move(next));
  } while (TakeKeyword("or"));
  return node;
}

absl::StatusOr<EventExpression::Node> FilterParser::ParseAnd() {
  DT_ASSIGN_OR_RETURN(Node first, ParseTerm());
  if (!TakeKeyword("and")) return first;
  Node node = Over(Node::Kind::kAnd, std::move(first));
  do {
    DT_ASSIGN_OR_RETURN(Node next, ParseTerm());
    node.children.push_back(std::move(next));
  } while (TakeKeyword("and"));
  return node;
}

absl::StatusOr<EventExpression::Node> FilterParser::ParseTerm() {
  SkipBlanks();
  if (!AtEnd() && text_[at_] == '(') return ParseGroup(')');
  if (!TakeKeyword("not")) return ParseComparison();
  SkipBlanks();
  if (AtEnd() || text_[at_] != '(') {
    return ErrorAt(at_, "after \"not\" comes a parenthesis: not (eventType eq \"x\")");
  }
  DT_ASSIGN_OR_RETURN(Node inner, ParseGroup(')'));
  Node node = Over(Node::Kind::kNot, std::move(inner));
  return node;
}

// At the opening one.
absl::StatusOr<EventExpression::Node> FilterParser::ParseGroup(char closing) {
  const std::size_t opening = at_++;
  if (++depth_ > kFilterDepthMax) {
    return ErrorAt(opening,
                   fmt::format("more than {} parentheses, one in the other", kFilterDepthMax));
  }
  DT_ASSIGN_OR_RETURN(Node inner, ParseOr());
  SkipBlanks();
  if (AtEnd()) {
    return ErrorAt(opening, fmt::format("this \"{}\" is not closed", text_[opening]));
  }
  if (text_[at_] != closing) {
    return ErrorAt(at_, fmt::format("\"and\", \"or\" or \"{}\" is missing before \"{}\"", closing,
                                    Shown(text_.substr(at_))));
  }
  ++at_;
  --depth_;
  return inner;
}

absl::StatusOr<EventExpression::Node> FilterParser::ParseComparison() {
  SkipBlanks();
  const std::size_t begin = at_;
  const std::string_view path = Word();
  if (path.empty()) {
    if (AtEnd()) return ErrorAt(at_, "an attribute is missing, such as eventType");
    return ErrorAt(at_, fmt::format("\"{}\" is no attribute", Shown(text_.substr(at_))));
  }
  if (++terms_ > kFilterTermsMax) {
    return ErrorAt(begin, fmt::format("more than {} comparisons", kFilterTermsMax));
  }
  if (EqualIgnoringCase(path, "target") && !AtEnd() && text_[at_] == '[') {
    if (in_target_) return ErrorAt(begin, "a target has no targets of its own");
    in_target_ = true;
    DT_ASSIGN_OR_RETURN(Node inner, ParseGroup(']'));
    in_target_ = false;
    Node node = Over(Node::Kind::kTarget, std::move(inner));
    return node;
  }
  Node node;
  DT_RETURN_IF_ERROR(ResolveAttribute(path, begin, node));

  SkipBlanks();
  const std::size_t operator_at = at_;
  const std::string_view word = Word();
  constexpr std::array<std::pair<std::string_view, Operator>, 10> kOperators = {
      {{"eq", Operator::kEq},
       {"ne", Operator::kNe},
       {"co", Operator::kCo},
       {"sw", Operator::kSw},
       {"ew", Operator::kEw},
       {"gt", Operator::kGt},
       {"ge", Operator::kGe},
       {"lt", Operator::kLt},
       {"le", Operator::kLe},
       {"pr", Operator::kPr}}};
  for (const auto& [name, op] : kOperators) {
    if (!EqualIgnoringCase(word, name)) continue;
    node.op = op;
    if (op == Operator::kPr) return node;
    DT_RETURN_IF_ERROR(ParseLiteral(path, node));
    if (op != Operator::kNe) return node;
    node.op = Operator::kEq;
    Node negated = Over(Node::Kind::kNot, std::move(node));
    return negated;
  }
  const std::string found = AtEnd() && word.empty()
                                ? "nothing"
                                : "\"" + Shown(word.empty() ? text_.substr(at_) : word) + "\"";
  return ErrorAt(operator_at,
                 fmt::format("after {} comes one of eq ne co sw ew gt ge lt le pr, not {}",
                             Shown(path), found));
}

absl::Status FilterParser::ResolveAttribute(std::string_view path, std::size_t at, Node& node) {
  const std::string full = (in_target_ ? "target." : "") + std::string(path);
  if (!in_target_ && path.size() > kDebugDataPath.size() &&
      EqualIgnoringCase(path.substr(0, kDebugDataPath.size()), kDebugDataPath)) {
    node.attribute = Attribute::kDebugData;
    node.key = LowerCase(path.substr(kDebugDataPath.size()));
    return absl::OkStatus();
  }
  if (const AttributeInfo* const info = FindAttribute(full)) {
    node.attribute = info->attribute;
    node.attribute_kind = info->kind;
    return absl::OkStatus();
  }
  std::string what = fmt::format("there is no attribute {}", Shown(path));
  if (in_target_) {
    what += " of a target; it has type, id, alternateId, displayName";
  } else if (const std::string_view nearest = NearestAttribute(path); !nearest.empty()) {
    what += fmt::format("; did you mean {}?", nearest);
  }
  return ErrorAt(at, what);
}

absl::Status FilterParser::ParseLiteral(std::string_view path, Node& node) {
  SkipBlanks();
  const std::size_t begin = at_;
  if (!AtEnd() && text_[at_] == '"') {
    DT_ASSIGN_OR_RETURN(std::string text, ParseString());
    return SetLiteral(path, begin, std::move(text), node);
  }
  const std::string_view word = Word();
  if (word == "true" || word == "false") return SetLiteral(path, begin, word == "true", node);
  if (word == "null") return SetLiteral(path, begin, nullptr, node);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (!word.empty() && error == std::errc() && end == word.data() + word.size()) {
    return SetLiteral(path, begin, number, node);
  }
  return ErrorAt(begin,
                 "a value is missing here: a text in double quotes, a whole number, true, false or"
                 " null");
}

absl::Status FilterParser::SetLiteral(std::string_view path, std::size_t at,
                                      EventExpression::Literal literal, Node& node) {
  const bool equality = node.op == Operator::kEq || node.op == Operator::kNe;
  const bool part =
      node.op == Operator::kCo || node.op == Operator::kSw || node.op == Operator::kEw;
  const bool ordered_kind =
      node.attribute_kind == AttributeKind::kTime || node.attribute_kind == AttributeKind::kNumber;
  if (part && (ordered_kind || !std::holds_alternative<std::string>(literal))) {
    return ErrorAt(at, "co, sw and ew look for a part of a text");
  }
  const bool unordered =
      std::holds_alternative<bool>(literal) || std::holds_alternative<std::nullptr_t>(literal);
  if (unordered && !equality) return ErrorAt(at, "true, false and null compare with eq and ne");
  if (std::holds_alternative<std::nullptr_t>(literal)) return absl::OkStatus();
  auto* const text = std::get_if<std::string>(&literal);
  if (node.attribute_kind == AttributeKind::kTime) {
    const auto time = ParsePublished(text == nullptr ? std::string() : *text);
    if (!time.ok()) {
      return ErrorAt(at, fmt::format("{} compares with a time in quotes: \"2026-06-01T08:00:00Z\"",
                                     Shown(path)));
    }
    literal = *time;
  } else if (node.attribute_kind == AttributeKind::kNumber) {
    if (!std::holds_alternative<std::int64_t>(literal)) {
      return ErrorAt(at, fmt::format("{} compares with a whole number", Shown(path)));
    }
  } else if (text != nullptr && node.attribute_kind == AttributeKind::kText) {
    *text = FoldName(*text);
  }
  node.literal = std::move(literal);
  return absl::OkStatus();
}

// A JSON string (RFC 8259, section 7), at its opening quote.
absl::StatusOr<std::string> FilterParser::ParseString() {
  const std::size_t opening = at_++;
  std::string out;
  while (!AtEnd()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return out;
    }
    if (c == '\\') {
      DT_RETURN_IF_ERROR(ParseEscape(out));
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      return ErrorAt(at_, "a control character in a text is written \\n, \\t or \\u0001");
    }
    const std::size_t length = Utf8Length(text_.substr(at_));
    if (length == 0) return ErrorAt(at_, "this is no UTF-8");
    out += text_.substr(at_, length);
    at_ += length;
  }
  return ErrorAt(opening, "this text has no closing quote");
}

absl::Status FilterParser::ParseEscape(std::string& out) {
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  const std::size_t begin = at_++;
  const char c = AtEnd() ? '\0' : text_[at_++];
  if (const std::size_t found = kEscapes.find(c); c != '\0' && found != std::string_view::npos) {
    out += kMeant[found];
    return absl::OkStatus();
  }
  const absl::Status bad =
      ErrorAt(begin, "after \\ comes one of \" \\ / b f n r t, or u and four digits");
  if (c != 'u') return bad;
  const int unit = FourHexDigits(text_.substr(at_));
  if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return bad;
  at_ += 4;
  if (unit < 0xd800 || unit > 0xdbff) {
    AppendUtf8(out, static_cast<char32_t>(unit));
    return absl::OkStatus();
  }
  const int low = text_.substr(at_).starts_with("\\u") ? FourHexDigits(text_.substr(at_ + 2)) : -1;
  if (low < 0xdc00 || low > 0xdfff) return bad;
  at_ += 6;
  AppendUtf8(out, static_cast<char32_t>(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)));
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
