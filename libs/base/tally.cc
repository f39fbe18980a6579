#include "libs/base/tally.h"

namespace devicetrust {

bool Tally::Count(std::string_view key) {
  const MutexLock lock(mutex_);
  auto found = seen_.find(key);
  if (found == seen_.end()) {
    if (seen_.size() >= limits_.keys_max) {
      ++others_;
      return false;
    }
    found = seen_.emplace(key, Seen()).first;
  }
  Seen& seen = found->second;
  if (seen.told >= limits_.each_max || told_ >= limits_.all_max) {
    ++seen.untold;
    return false;
  }
  ++seen.told;
  ++told_;
  return true;
}

std::vector<Tally::Sum> Tally::TakeSums() {
  const MutexLock lock(mutex_);
  std::vector<Sum> sums;
  for (const auto& [key, seen] : seen_) {
    if (seen.untold > 0) sums.push_back({key, seen.untold});
  }
  if (others_ > 0) sums.push_back({"", others_});
  seen_.clear();
  told_ = 0;
  others_ = 0;
  return sums;
}

}  // namespace devicetrust
