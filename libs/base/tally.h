#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/mutex.h"

namespace devicetrust {

// Which of many like happenings are told one by one; the others are counted and told in sums, so
// that who causes them at will fills no log. A period lasts from one TakeSums() to the next.
// Memory is bounded by the limits. Thread-safe.
class Tally {
 public:
  struct Limits {
    std::size_t each_max = 1;   // Of one key, told in a period;
    std::size_t all_max = 32;   // of all together.
    std::size_t keys_max = 32;  // Keys told apart in a period. Later ones are summed up as one.
  };
  struct Sum {
    std::string key;           // Empty: of all keys beyond `keys_max`.
    std::uint64_t untold = 0;  // How many were counted alone.
  };

  explicit Tally(Limits limits) : limits_(limits) {}

  // Counts one of `key`, which is not empty. True: tell it.
  bool Count(std::string_view key);

  // Ends the period. Keys of which all was told have no sum.
  std::vector<Sum> TakeSums();

 private:
  struct Seen {
    std::size_t told = 0;
    std::uint64_t untold = 0;
  };

  const Limits limits_;
  Mutex mutex_;
  std::map<std::string, Seen, std::less<>> seen_ ABSL_GUARDED_BY(mutex_);
  std::size_t told_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t others_ ABSL_GUARDED_BY(mutex_) = 0;  // Of keys beyond `keys_max`.
};

}  // namespace devicetrust
