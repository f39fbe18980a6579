// The log: one JSON object a line, {"time":…,"level":…,"component":…,"event":…, fields, trace_id}.
// No secret and no token ever goes in; names of users and devices may.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "libs/base/status.h"

namespace devicetrust {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One member of the line. `key` is a constant in snake_case with its unit last; a text
// value must live until Log() returns.
struct LogField {
  template <std::integral T>
  LogField(std::string_view k, T v) : key(k) {
    if constexpr (std::same_as<T, bool>) {
      value = v;
    } else {
      value = static_cast<std::int64_t>(v);
    }
  }
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}

  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;
};

// Thread-safe; a line is never torn. `event` is a dotted constant ("pki.cert.issue").
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
bool LogEnabled(LogLevel level);

// Set once, before threads start. Defaults: standard error, info, no component.
void SetLogComponent(std::string_view name);
absl::Status SetLogLevel(std::string_view name);   // debug, info, warning, error, off.
absl::Status SetLogFile(const std::string& path);  // Appends; kInvalidArgument names the path.

}  // namespace devicetrust
