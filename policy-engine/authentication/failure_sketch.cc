#include "policy-engine/authentication/failure_sketch.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "libs/pki/digest.h"

namespace devicetrust::policy {

FailureSketch::FailureSketch(Window kind, std::chrono::seconds window, Bytes secret)
    : kind_(kind), window_(window), secret_(std::move(secret)), cells_(kRows * kCells) {}

std::vector<std::size_t> FailureSketch::CellsOf(std::string_view name) const {
  std::string keyed(secret_.begin(), secret_.end());
  keyed += name;
  const pki::Sha256Digest digest = pki::Sha256(keyed);
  std::vector<std::size_t> places;
  for (std::size_t row = 0; row < kRows; ++row) {
    std::size_t hash = 0;
    for (std::size_t i = 0; i < 4; ++i) hash = hash << 8 | digest[4 * row + i];
    places.push_back(row * kCells + hash % kCells);
  }
  return places;
}

// A clock that was set back makes nothing live longer than a window.
bool FailureSketch::IsLive(const Cell& cell, std::int64_t now) const {
  return cell.failures > 0 && now - cell.at < window_.count() && cell.at - now < window_.count();
}

FailureSketch::Count FailureSketch::Of(std::string_view name, WallTime now) const {
  const std::int64_t seconds = UnixSeconds(now);
  Count count{std::numeric_limits<std::uint32_t>::max(), window_};
  for (const std::size_t place : CellsOf(name)) {
    const Cell& cell = cells_[place];
    if (!IsLive(cell, seconds)) return {};
    count.failures = std::min(count.failures, cell.failures);
    const std::chrono::seconds left(cell.at + window_.count() - seconds);
    count.ends_in = std::min(count.ends_in, std::max(left, std::chrono::seconds(1)));
  }
  return count;
}

// Only the smallest cells grow: the others are larger through other names.
void FailureSketch::Add(std::string_view name, WallTime now) {
  const std::int64_t seconds = UnixSeconds(now);
  const std::uint32_t before = Of(name, now).failures;
  for (const std::size_t place : CellsOf(name)) {
    Cell& cell = cells_[place];
    if (!IsLive(cell, seconds)) cell = {0, seconds};
    if (cell.failures <= before) {
      cell.failures = before + (before < std::numeric_limits<std::uint32_t>::max() ? 1 : 0);
    }
    if (kind_ == Window::kSinceLast) cell.at = seconds;
  }
}

}  // namespace devicetrust::policy
