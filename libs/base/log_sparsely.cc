#include "libs/base/log_sparsely.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/mutex.h"
#include "libs/base/tally.h"

namespace devicetrust {
namespace {

// One tally an event: a flood of one hides none of another.
class SparseLog {
 public:
  bool Count(std::string_view event, std::string_view key) {
    const MutexLock lock(mutex_);
    auto found = tallies_.find(event);
    if (found == tallies_.end()) {
      constexpr Tally::Limits kLimits{kSparseLinesOfEach, kSparseLinesOfAll, kSparseKeys};
      found = tallies_.try_emplace(std::string(event), kLimits).first;
    }
    if (!loop_) {
      loop_.emplace(kSparseLogPeriod, [this] {
        TellSums();
        return std::chrono::milliseconds(kSparseLogPeriod);
      });
    }
    return found->second.Count(key.empty() ? "-" : key);
  }

  void TellSums() {
    std::vector<std::pair<std::string, Tally::Sum>> sums;
    {
      const MutexLock lock(mutex_);
      for (auto& [event, tally] : tallies_) {
        for (Tally::Sum& sum : tally.TakeSums()) sums.emplace_back(event, std::move(sum));
      }
    }
    for (const auto& [event, sum] : sums) {
      Log(LogLevel::kWarning, "log.sum", {{"of", event}, {"key", sum.key}, {"count", sum.untold}});
    }
  }

 private:
  Mutex mutex_;
  // By event: as many as the program has constants.
  std::map<std::string, Tally, std::less<>> tallies_ ABSL_GUARDED_BY(mutex_);
  std::optional<BackgroundLoop> loop_ ABSL_GUARDED_BY(mutex_);
};

SparseLog& TheSparseLog() {
  static auto* const log = new SparseLog();  // As long as the process, like the log.
  return *log;
}

}  // namespace

void LogSparsely(LogLevel level, std::string_view event, std::string_view key,
                 std::initializer_list<LogField> fields) {
  if (LogEnabled(level) && TheSparseLog().Count(event, key)) Log(level, event, fields);
}

void LogSums() { TheSparseLog().TellSums(); }

}  // namespace devicetrust
