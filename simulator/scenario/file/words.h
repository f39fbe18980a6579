// Words of a scenario file: which known one somebody meant, and lengths of time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

// The known word that `word` is nearest to; empty: it is like none of them.
std::string NearestWord(std::string_view word, const std::vector<std::string>& known);

// "; did you mean phases?", or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& known);

// "250ms", "5s", "2m", "1h"; at most 24 hours. kInvalidArgument for anything else.
absl::StatusOr<std::chrono::nanoseconds> ParseLength(std::string_view text);
std::string LengthText(std::chrono::nanoseconds length);  // "5s", "1.5s", "250ms".

}  // namespace devicetrust::simulator
