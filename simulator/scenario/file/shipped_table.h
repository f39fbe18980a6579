// The scenarios of shipped/, as the build put them into the program (embed_scenarios.py).
#pragma once

#include <span>
#include <string_view>

namespace devicetrust::simulator {

struct ShippedEntry {
  std::string_view name;  // The file's, without .yaml.
  std::string_view text;
};

std::span<const ShippedEntry> ShippedTable();

}  // namespace devicetrust::simulator
