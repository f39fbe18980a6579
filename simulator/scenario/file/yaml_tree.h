// YAML as a person writes it, with the place of each value: the part of YAML 1.2 that is JSON with
// less punctuation. What makes one text mean two things is refused: a key twice, an anchor, a tag,
// a second document.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

// In a file, from 1; as editors count.
struct FilePlace {
  int line = 0;
  int column = 0;
};

struct YamlNode {
  enum class Kind { kNull, kText, kList, kMap };

  Kind kind = Kind::kNull;
  FilePlace place;
  std::string text;                                    // Of kText.
  bool quoted = false;                                 // "5" in quotes is no number.
  std::vector<YamlNode> items;                         // Of kList.
  std::vector<std::pair<YamlNode, YamlNode>> members;  // Of kMap, each key a text.

  const YamlNode* Find(std::string_view key) const;  // Null: there is none.
};

inline constexpr std::size_t kYamlBytesMax = std::size_t{1} << 20;
inline constexpr int kYamlDepthMax = 32;

// kInvalidArgument "FILE:LINE:COLUMN: what\n        remedy".
absl::StatusOr<YamlNode> ParseYaml(const std::string& file, std::string_view text);

// As JSON: what is not quoted and looks like true, false, null or a number is one.
std::string YamlToJson(const YamlNode& node);

// An error at that place of `file`; `remedy` may be empty.
absl::Status ErrorAt(const std::string& file, FilePlace place, std::string_view what,
                     std::string_view remedy = "");

}  // namespace devicetrust::simulator
