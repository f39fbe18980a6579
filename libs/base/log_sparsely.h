// The log (log.h) for what others can cause at will, a malformed call for one.
#pragma once

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string_view>

#include "libs/base/log.h"

namespace devicetrust {

inline constexpr std::chrono::minutes kSparseLogPeriod{10};
inline constexpr std::size_t kSparseLinesOfEach = 5;
inline constexpr std::size_t kSparseLinesOfAll = 100;  // Of one event, whatever the keys.
inline constexpr std::size_t kSparseKeys = 50;

// Log() for the first kSparseLinesOfEach of `event` and `key` in a period; `key` says whose doing
// it is: an address, an account. The others are counted, and told at the end of the period:
// {"event":"log.sum","of":EVENT,"key":KEY,"count":N}, with no key for those of too many.
void LogSparsely(LogLevel level, std::string_view event, std::string_view key,
                 std::initializer_list<LogField> fields = {});

// Tells the sums now; at the end of a program.
void LogSums();

}  // namespace devicetrust
