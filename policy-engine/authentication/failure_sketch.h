#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"

namespace devicetrust::policy {

// How often something happened under each of any number of names, in memory that never grows and
// forgets nothing early: a count-min sketch (Cormode and Muthukrishnan, 2005). A name's count is
// never less than the truth; strangers who share all of its cells can make it more, which takes
// as many names as there are cells. Not thread-safe.
class FailureSketch {
 public:
  enum class Window {
    kSinceFirst,  // A count begins anew that long after its first one.
    kSinceLast,   // A count begins anew when nothing was added for that long.
  };

  // `secret`: random, so that nobody can choose names that share cells.
  FailureSketch(Window kind, std::chrono::seconds window, Bytes secret);

  struct Count {
    std::uint32_t failures = 0;
    std::chrono::seconds ends_in{0};  // When it begins anew.
  };
  Count Of(std::string_view name, WallTime now) const;
  void Add(std::string_view name, WallTime now);

 private:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kCells = 1 << 14;  // Of a row; 1 MiB in all.

  struct Cell {
    std::uint32_t failures = 0;
    std::int64_t at = 0;  // Unix seconds of the first one, or the last one.
  };

  // The place of the name's cell in each row.
  std::vector<std::size_t> CellsOf(std::string_view name) const;
  bool IsLive(const Cell& cell, std::int64_t now) const;

  const Window kind_;
  const std::chrono::seconds window_;
  const Bytes secret_;
  std::vector<Cell> cells_;
};

}  // namespace devicetrust::policy
