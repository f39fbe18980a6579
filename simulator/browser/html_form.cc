#include "simulator/browser/html_form.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "libs/http/form.h"

namespace devicetrust::simulator {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

void AppendUtf8(std::string& out, unsigned long point) {
  const auto byte = [&out](unsigned long value) { out += static_cast<char>(value); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | (point >> 6));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xE0 | ((point >> 12) & 0x0F));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

std::string DecodeEntities(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kNamed = {
      {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};
  std::string out;
  while (!text.empty()) {
    const std::size_t amp = std::min(text.find('&'), text.size());
    out += text.substr(0, amp);
    text.remove_prefix(amp);
    if (text.empty()) break;
    const std::size_t end = text.find(';');
    const std::string_view entity =
        end == std::string_view::npos || end > 10 ? "" : text.substr(1, end - 1);
    const auto named = std::find_if(kNamed.begin(), kNamed.end(),
                                    [entity](const auto& n) { return n.first == entity; });
    if (named != kNamed.end()) {
      out += named->second;
    } else if (entity.size() > 1 && entity.front() == '#') {
      const bool hex = entity[1] == 'x' || entity[1] == 'X';
      const std::string_view digits = entity.substr(hex ? 2 : 1);
      unsigned long point = 0xFFFD;
      std::from_chars(digits.data(), digits.data() + digits.size(), point, hex ? 16 : 10);
      AppendUtf8(out, point);
    } else {
      out += '&';
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

// The attributes of the tag whose inside, after the name, is `text`.
std::map<std::string, std::string, std::less<>> Attributes(std::string_view text) {
  std::map<std::string, std::string, std::less<>> found;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n/");
    if (begin == std::string_view::npos) return found;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of("= \t\r\n/"), text.size());
    std::string name(text.substr(0, end));
    text.remove_prefix(end);
    std::string value;
    if (text.starts_with('=')) {
      text.remove_prefix(1);
      const char quote = text.empty() ? ' ' : text.front();
      const bool quoted = quote == '"' || quote == '\'';
      if (quoted) text.remove_prefix(1);
      const std::size_t stop =
          std::min(quoted ? text.find(quote) : text.find_first_of(kBlank), text.size());
      value = DecodeEntities(text.substr(0, stop));
      text.remove_prefix(std::min(stop + (quoted ? 1 : 0), text.size()));
    }
    found.emplace(std::move(name), std::move(value));
  }
}

// The next tag called `name` from `at` on, as what stands between its name and its '>'.
// Moves `at` behind it. A '>' inside a quoted value does not end it.
std::optional<std::string_view> NextTag(std::string_view html, std::string_view name,
                                        std::size_t& at) {
  while ((at = html.find('<', at)) != std::string_view::npos) {
    ++at;
    if (!html.substr(at).starts_with(name)) continue;
    const std::size_t begin = at + name.size();
    if (begin < html.size() &&
        std::string_view(" \t\r\n/>").find(html[begin]) == std::string_view::npos) {
      continue;
    }
    char quote = '\0';
    for (std::size_t i = begin; i < html.size(); ++i) {
      const char c = html[i];
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '>') {
        at = i + 1;
        return html.substr(begin, i - begin);
      }
    }
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

FormField* HtmlForm::Find(std::string_view name_type_or_purpose) {
  for (FormField& field : fields) {
    if (field.name == name_type_or_purpose || field.type == name_type_or_purpose ||
        field.autocomplete == name_type_or_purpose) {
      return &field;
    }
  }
  return nullptr;
}

std::string HtmlForm::Encode() const {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (const FormField& field : fields) {
    if (!field.name.empty()) pairs.emplace_back(field.name, field.value);
  }
  return http::EncodeParameters(pairs);
}

std::optional<HtmlForm> ParseForm(std::string_view html) {
  std::size_t at = 0;
  const std::optional<std::string_view> tag = NextTag(html, "form", at);
  if (!tag.has_value()) return std::nullopt;
  const std::size_t end = std::min(html.find("</form", at), html.size());
  HtmlForm form;
  auto attributes = Attributes(*tag);
  form.action = attributes["action"];
  const std::string_view inside = html.substr(0, end);
  while (const std::optional<std::string_view> input = NextTag(inside, "input", at)) {
    auto field = Attributes(*input);
    const std::string type = field.contains("type") ? field["type"] : "text";
    form.fields.push_back({field["name"], field["value"], type, field["autocomplete"]});
  }
  return form;
}

std::string ElementText(std::string_view html, std::string_view tag) {
  std::size_t at = 0;
  if (!NextTag(html, tag, at).has_value()) return "";
  const std::size_t end = html.find('<', at);
  return DecodeEntities(html.substr(at, end == std::string_view::npos ? end : end - at));
}

}  // namespace devicetrust::simulator
