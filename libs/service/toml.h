// The part of TOML 1.0 that configurations are written in: booleans, whole numbers, texts, lists of
// texts and lists of tables ("[[directory]]", or inline). Functions are pure and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::service {

struct TomlTable;
// An empty list is an empty list of texts.
using TomlValue =
    std::variant<bool, std::int64_t, std::string, std::vector<std::string>, std::vector<TomlTable>>;

struct TomlEntry {
  std::string name;
  TomlValue value;
  int line = 0;  // In the file, from 1; 0: not from a file. Not compared.

  bool operator==(const TomlEntry& other) const;
};

struct TomlTable {
  std::vector<TomlEntry> entries;  // In the order of the file; no name twice.

  bool operator==(const TomlTable&) const = default;
};

// A byte order mark in front is skipped. kInvalidArgument "line 3: …": no TOML, a name given
// twice, or a value of another kind.
absl::StatusOr<TomlTable> ParseToml(std::string_view text);

// On one line: `"text"`, `["a", "b"]`, `[{name = "a"}]`.
std::string ToToml(const TomlValue& value);

}  // namespace devicetrust::service
