#include "libs/pki/pkcs11_uri.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/printable.h"

namespace devicetrust::pki {
namespace {

constexpr std::string_view kScheme = "pkcs11:";
constexpr std::string_view kFile = "file:";
// Besides letters, digits and "-._~" (RFC 7512, section 2.3).
constexpr std::string_view kBoth = ":[]@!$'()*+,=";
constexpr std::string_view kPathMarks = "&";
constexpr std::string_view kQueryMarks = "/?|";

struct TextAttribute {
  std::string_view name;
  std::string Pkcs11Uri::*member;
};
constexpr std::array<TextAttribute, 10> kPathTexts = {{
    {"token", &Pkcs11Uri::token},
    {"manufacturer", &Pkcs11Uri::manufacturer},
    {"serial", &Pkcs11Uri::serial},
    {"model", &Pkcs11Uri::model},
    {"library-manufacturer", &Pkcs11Uri::library_manufacturer},
    {"library-description", &Pkcs11Uri::library_description},
    {"slot-description", &Pkcs11Uri::slot_description},
    {"slot-manufacturer", &Pkcs11Uri::slot_manufacturer},
    {"object", &Pkcs11Uri::object},
    {"type", &Pkcs11Uri::type},
}};
constexpr std::array<TextAttribute, 3> kQueryTexts = {{
    {"module-name", &Pkcs11Uri::module_name},
    {"module-path", &Pkcs11Uri::module_path},
    {"pin-source", &Pkcs11Uri::pin_source},
}};
constexpr std::array<std::string_view, 5> kTypes = {"private", "public", "cert", "secret-key",
                                                    "data"};

absl::Status Refused(std::string_view attribute, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("PKCS#11 URI: {} {}", attribute, why));
}

bool MayStand(char c, std::string_view marks) {
  return IsAlnum(c) || std::string_view("-._~").find(c) != std::string_view::npos ||
         kBoth.find(c) != std::string_view::npos || marks.find(c) != std::string_view::npos;
}

absl::StatusOr<std::string> Decoded(std::string_view name, std::string_view value,
                                    std::string_view marks) {
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '%') {
      if (!MayStand(value[i], marks)) {
        return Refused(name, fmt::format("holds {}, which must be written %XX",
                                         JsonQuote(value.substr(i, 1))));
      }
      text += value[i];
      continue;
    }
    if (value.size() - i < 3 || !IsHexDigit(value[i + 1]) || !IsHexDigit(value[i + 2])) {
      return Refused(name, "has a % without two hex digits behind it");
    }
    text += static_cast<char>(16 * HexValue(value[i + 1]) + HexValue(value[i + 2]));
    i += 2;
  }
  return text;
}

absl::Status CheckText(std::string_view name, const std::string& value) {
  if (IsUtf8(value) && !HasControl(value)) return absl::OkStatus();
  return Refused(name, "is no UTF-8, or has a control character in it");
}

absl::Status SetPath(Pkcs11Uri& uri, std::string_view name, const std::string& value) {
  if (name == "id") {
    uri.id.assign(value.begin(), value.end());
    return absl::OkStatus();
  }
  DT_RETURN_IF_ERROR(CheckText(name, value));
  if (name == "slot-id") {
    std::uint64_t number = 0;
    const char* const end = value.data() + value.size();
    const auto [last, error] = std::from_chars(value.data(), end, number);
    if (error != std::errc() || last != end) return Refused(name, "is no number");
    uri.slot_id = number;
    return absl::OkStatus();
  }
  const auto found = std::ranges::find(kPathTexts, name, &TextAttribute::name);
  if (found == kPathTexts.end()) return Refused(Printable(name), "is no attribute known here");
  if (name == "type" && std::ranges::find(kTypes, value) == kTypes.end()) {
    return Refused(name, "is none of private, public, cert, secret-key, data");
  }
  uri.*found->member = value;
  return absl::OkStatus();
}

absl::Status SetQuery(Pkcs11Uri& uri, std::string_view name, std::string value) {
  if (name == "pin-value") {
    return Refused(name,
                   "would show the PIN to whoever sees this text: put it into a file of mode 0600,"
                   " and name that by pin-source=file:/PATH");
  }
  DT_RETURN_IF_ERROR(CheckText(name, value));
  const auto found = std::ranges::find(kQueryTexts, name, &TextAttribute::name);
  if (found == kQueryTexts.end()) return Refused(Printable(name), "is no attribute known here");
  if (name == "pin-source" && value.starts_with(kFile)) {
    value.erase(0, kFile.size());
    if (value.starts_with("//")) value.erase(0, 2);  // "file:///PATH": no host before the path.
  }
  if (name == "module-name") {
    if (value.find('/') != std::string::npos) return Refused(name, "must not hold a '/'");
  } else if (!value.starts_with('/')) {
    return Refused(name, "must be the absolute path of a file");
  }
  uri.*found->member = std::move(value);
  return absl::OkStatus();
}

// Calls `set` with name and decoded value of each attribute of `list`.
template <typename Set>
absl::Status ForEach(std::string_view list, char separator, std::string_view marks,
                     std::set<std::string, std::less<>>& seen, const Set& set) {
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(separator));
    const bool is_last = one.size() == list.size();
    list.remove_prefix(is_last ? one.size() : one.size() + 1);
    if (!is_last && list.empty()) return Refused("an attribute", "is missing at the end");
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos) {
      return Refused(Printable(one), "is not of the form NAME=VALUE");
    }
    const std::string_view name = one.substr(0, equals);
    if (!seen.emplace(name).second) return Refused(Printable(name), "stands there twice");
    DT_ASSIGN_OR_RETURN(std::string value, Decoded(Printable(name), one.substr(equals + 1), marks));
    if (value.empty()) return Refused(Printable(name), "is empty");
    DT_RETURN_IF_ERROR(set(name, std::move(value)));
  }
  return absl::OkStatus();
}

// Puts attributes behind one another.
class Writer {
 public:
  explicit Writer(std::string& text) : text_(text) {}

  void Add(std::string_view name, std::string_view value, std::string_view marks, char separator) {
    if (value.empty()) return;
    if (!is_first_) text_ += separator;
    is_first_ = false;
    text_ += name;
    text_ += '=';
    for (const char c : value) {
      text_ += MayStand(c, marks) ? std::string(1, c) : fmt::format("%{:02X}", Octet(c));
    }
  }

 private:
  static unsigned Octet(char c) { return static_cast<unsigned char>(c); }

  std::string& text_;
  bool is_first_ = true;
};

}  // namespace

bool IsPkcs11Uri(std::string_view text) {
  return EqualIgnoringCase(text.substr(0, kScheme.size()), kScheme);
}

absl::StatusOr<Pkcs11Uri> ParsePkcs11Uri(std::string_view text) {
  if (text.size() > kPkcs11UriBytesMax) return Refused("it", "is longer than 2048 characters");
  if (!IsPkcs11Uri(text)) {
    return Refused("it", "is not of the form pkcs11:token=NAME;id=%01 (RFC 7512)");
  }
  text.remove_prefix(kScheme.size());
  const std::size_t question = text.find('?');
  const std::string_view path = text.substr(0, question);
  const std::string_view query =
      question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
  if (question != std::string_view::npos && query.empty()) {
    return Refused("an attribute", "is missing behind the '?'");
  }
  Pkcs11Uri uri;
  std::set<std::string, std::less<>> seen;
  DT_RETURN_IF_ERROR(
      ForEach(path, ';', kPathMarks, seen, [&uri](std::string_view name, const std::string& value) {
        return SetPath(uri, name, value);
      }));
  DT_RETURN_IF_ERROR(
      ForEach(query, '&', kQueryMarks, seen, [&uri](std::string_view name, std::string value) {
        return SetQuery(uri, name, std::move(value));
      }));
  return uri;
}

std::string Pkcs11Uri::ToString() const {
  std::string text(kScheme);
  Writer path(text);
  for (const TextAttribute& attribute : kPathTexts) {
    path.Add(attribute.name, this->*attribute.member, kPathMarks, ';');
  }
  if (slot_id) path.Add("slot-id", std::to_string(*slot_id), kPathMarks, ';');
  path.Add("id", devicetrust::ToString(id), kPathMarks, ';');
  std::string query;
  Writer writer(query);
  for (const TextAttribute& attribute : kQueryTexts) {
    writer.Add(attribute.name, this->*attribute.member, kQueryMarks, '&');
  }
  return query.empty() ? text : text + '?' + query;
}

}  // namespace devicetrust::pki
