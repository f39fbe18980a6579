// The keys of a scenario file: one table, by which files are read and editors are told.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace devicetrust::simulator {

struct ScenarioKey {
  const char* name;
  const char* schema;  // JSON Schema of its value.
  const char* help;    // One sentence, for editors and errors.
  bool required = false;
};

struct ScenarioSection {
  const char* name;  // Among $defs; "" is the file.
  const char* noun;  // "a phase"
  std::span<const ScenarioKey> keys;
};

extern const ScenarioSection kFileSection, kFleetSection, kPhaseSection, kArrivalsSection,
    kFaultSection, kExpectSection, kThresholdSection;

// JSON Schema (draft 2020-12) of the whole, with that of rules and policies in it.
std::string ScenarioSchema();

}  // namespace devicetrust::simulator
