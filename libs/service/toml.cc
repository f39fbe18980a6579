#include "libs/service/toml.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

// In a debug build toml++ 3.3 aborts on "[.a]", where otherwise it finds the fault and names it.
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>
#include <algorithm>

#include "libs/base/encoding.h"

namespace devicetrust::service {
namespace {

absl::Status AtLine(int line, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("line {}: {}", line, what));
}

int LineOf(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

absl::StatusOr<TomlTable> TableFrom(const toml::table& table);

absl::StatusOr<TomlValue> ListFrom(const toml::array& array) {
  if (!array.empty() && array.is_homogeneous<toml::table>()) {
    std::vector<TomlTable> tables;
    for (const toml::node& node : array) {
      DT_ASSIGN_OR_RETURN(TomlTable table, TableFrom(*node.as_table()));
      tables.push_back(std::move(table));
    }
    return tables;
  }
  std::vector<std::string> texts;
  for (const toml::node& node : array) {
    const auto* const text = node.as_string();
    if (text == nullptr) return AtLine(LineOf(node), "a list holds texts, or tables");
    texts.push_back(text->get());
  }
  return texts;
}

absl::StatusOr<TomlValue> ValueFrom(const toml::node& node) {
  if (const auto* const value = node.as_boolean()) return value->get();
  if (const auto* const value = node.as_integer()) return value->get();
  if (const auto* const value = node.as_string()) return value->get();
  if (const auto* const value = node.as_array()) return ListFrom(*value);
  return AtLine(LineOf(node), "neither a text, a whole number, true or false, nor a list");
}

absl::StatusOr<TomlTable> TableFrom(const toml::table& table) {
  TomlTable result;
  for (const auto& [key, node] : table) {
    if (node.is_table()) {
      return AtLine(
          static_cast<int>(key.source().begin.line),
          fmt::format("[{0}] is a section, and options stand in none; a group of options has two "
                      "brackets, [[{0}]], where there is one of that name",
                      key.str()));
    }
    DT_ASSIGN_OR_RETURN(TomlValue value, ValueFrom(node));
    result.entries.push_back(
        {std::string(key.str()), std::move(value), static_cast<int>(key.source().begin.line)});
  }
  std::ranges::stable_sort(result.entries, {}, &TomlEntry::line);
  return result;
}

// A JSON string is a TOML one but for DEL, which TOML wants escaped.
std::string Quoted(std::string_view text) {
  std::string quoted = JsonQuote(text);
  for (std::size_t at = 0; (at = quoted.find('\x7f', at)) != std::string::npos;) {
    quoted.replace(at, 1, "\\u007f");
  }
  return quoted;
}

std::string Inline(const TomlTable& table) {
  std::vector<std::string> parts;
  for (const TomlEntry& entry : table.entries) {
    parts.push_back(fmt::format("{} = {}", entry.name, ToToml(entry.value)));
  }
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

struct Writer {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string& value) const { return Quoted(value); }
  std::string operator()(const std::vector<std::string>& values) const {
    return List(values, Quoted);
  }
  std::string operator()(const std::vector<TomlTable>& values) const {
    return List(values, Inline);
  }

  template <typename Item, typename Write>
  static std::string List(const std::vector<Item>& items, const Write& write) {
    std::vector<std::string> parts;
    for (const Item& item : items) parts.push_back(write(item));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
};

// The line, from 1, of the first octet beyond ASCII outside of quotes and comments; 0: none. A bare
// name is ASCII (TOML 1.0), and toml++ 3.3 may misbehave on other letters there.
int LineBeyondAscii(std::string_view text) {
  int line = 1;
  char quote = 0;  // The one that is open.
  bool comment = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      comment = false;
    } else if (comment) {
      continue;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') {
        ++i;
      } else if (c == quote) {
        quote = 0;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      comment = true;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      return line;
    }
  }
  return 0;
}

std::string_view LineAt(std::string_view text, int number) {
  for (; number > 1 && !text.empty(); --number) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text.substr(0, text.find('\n'));
}

// The parser's own words are for who writes parsers.
std::string WhatIsWrong(std::string_view line, std::string_view description) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t["), line.size());
  const std::string_view name = line.substr(begin, line.find_first_of(" \t=]", begin) - begin);
  if (description.find("redefine") != std::string_view::npos && !name.empty()) {
    return fmt::format("{} is given twice, here for the second time", JsonQuote(name));
  }
  return "this is no TOML: write NAME = VALUE, and texts in quotes; is a quote or a bracket "
         "missing?";
}

}  // namespace

bool TomlEntry::operator==(const TomlEntry& other) const {
  return name == other.name && value == other.value;
}

absl::StatusOr<TomlTable> ParseToml(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // Some editors write one.
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (const int line = LineBeyondAscii(text); line != 0) {
    return AtLine(line, "letters beyond ASCII stand in quotes or comments alone");
  }
  try {
    return TableFrom(toml::parse(text));
  } catch (const toml::parse_error& error) {
    const int line = static_cast<int>(error.source().begin.line);
    return AtLine(line, WhatIsWrong(LineAt(text, line), error.description()));
  }
}

std::string ToToml(const TomlValue& value) { return std::visit(Writer(), value); }

}  // namespace devicetrust::service
