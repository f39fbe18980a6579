// The little HTML that a virtual browser understands: the first form of a page, and a
// marked piece of text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace devicetrust::simulator {

struct FormField {
  std::string name;
  std::string value;
  std::string type;          // "hidden", "text", "password", …; "text" when absent.
  std::string autocomplete;  // "username", "current-password", "one-time-code", …
};

struct HtmlForm {
  std::string action;  // As written: may be relative; empty when absent.
  std::vector<FormField> fields;

  // The field of that name, type or autocomplete purpose; null when there is none.
  FormField* Find(std::string_view name_type_or_purpose);
  // application/x-www-form-urlencoded, in the page's order.
  std::string Encode() const;
};

// The first form; nothing when the page has none. Entities in attributes are decoded.
std::optional<HtmlForm> ParseForm(std::string_view html);

// The text of the first element <`tag`>, entities decoded; empty when there is none.
std::string ElementText(std::string_view html, std::string_view tag);

}  // namespace devicetrust::simulator
