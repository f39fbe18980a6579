#include "libs/base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <memory>

#include "libs/base/encoding.h"
#include "libs/base/trace.h"

namespace devicetrust {
namespace {

struct LogState {
  std::shared_ptr<spdlog::logger> logger;
  std::string component;
};

std::shared_ptr<spdlog::logger> NewLogger(spdlog::sink_ptr sink, spdlog::level::level_enum level) {
  auto logger = std::make_shared<spdlog::logger>("devicetrust", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(level);
  logger->flush_on(spdlog::level::info);  // A crash must not take the last lines along.
  return logger;
}

LogState& State() {
  static auto* const state = new LogState{
      NewLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), spdlog::level::info), {}};
  return *state;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

// RFC 3339 with milliseconds, UTC.
std::string LogTime() {
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(now));
  const auto rest =
      std::chrono::floor<milliseconds>(now) - std::chrono::floor<std::chrono::seconds>(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     rest.count());
}

void AppendField(std::string& line, const LogField& field) {
  line += fmt::format(",{}:", JsonQuote(field.key));
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    line += JsonQuote(*text);
  } else if (const auto* whole = std::get_if<std::int64_t>(&field.value)) {
    line += fmt::format("{}", *whole);
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    line += std::isfinite(*real) ? fmt::format("{}", *real) : "null";
  } else {
    line += std::get<bool>(field.value) ? "true" : "false";
  }
}

}  // namespace

bool LogEnabled(LogLevel level) { return State().logger->should_log(ToSpdlog(level)); }

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  std::string line = fmt::format(R"({{"time":"{}","level":"{}")", LogTime(), LevelName(level));
  if (!State().component.empty()) line += ",\"component\":" + JsonQuote(State().component);
  line += ",\"event\":" + JsonQuote(event);
  for (const LogField& field : fields) AppendField(line, field);
  if (const std::string trace = CurrentTrace(); !trace.empty()) {
    AppendField(line, {"trace_id", trace});
  }
  line += "}";
  State().logger->log(ToSpdlog(level), "{}", line);
}

void SetLogComponent(std::string_view name) { State().component = name; }

absl::Status SetLogLevel(std::string_view name) {
  spdlog::level::level_enum level = spdlog::level::off;
  if (name == "debug") {
    level = spdlog::level::debug;
  } else if (name == "info") {
    level = spdlog::level::info;
  } else if (name == "warning") {
    level = spdlog::level::warn;
  } else if (name == "error") {
    level = spdlog::level::err;
  } else if (name != "off") {
    return absl::InvalidArgumentError(
        fmt::format("log level {} is none of debug, info, warning, error, off", name));
  }
  State().logger->set_level(level);
  return absl::OkStatus();
}

absl::Status SetLogFile(const std::string& path) {
  try {
    State().logger = NewLogger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path),
                               State().logger->level());
  } catch (const spdlog::spdlog_ex& error) {
    return absl::InvalidArgumentError(fmt::format("cannot log to {}: {}", path, error.what()));
  }
  return absl::OkStatus();
}

}  // namespace devicetrust
