#include "simulator/report/failures.h"

#include <fmt/format.h>

#include <algorithm>

#include "simulator/report/format.h"

namespace devicetrust::simulator {

void Failures::Add(const Kind& more) {
  const auto same = std::ranges::find(kinds_, more.kind, &Kind::kind);
  if (same != kinds_.end()) {
    same->count += more.count;
  } else if (kinds_.size() < kKindsMax) {
    kinds_.push_back(more);
  } else {
    others_ += more.count;
  }
}

void Failures::Add(const std::string& kind, const std::string& subject, const std::string& why) {
  Add(Kind{kind, subject, why, 1});
}

void Failures::Merge(const Failures& other) {
  for (const Kind& kind : other.kinds_) Add(kind);
  others_ += other.others_;
}

std::uint64_t Failures::count() const {
  std::uint64_t count = others_;
  for (const Kind& kind : kinds_) count += kind.count;
  return count;
}

std::vector<std::string> Failures::Lines() const {
  std::vector<Kind> sorted = kinds_;
  std::ranges::stable_sort(sorted, std::ranges::greater(), &Kind::count);
  std::vector<std::string> lines;
  for (const Kind& kind : sorted) {
    const std::string more =
        kind.count > 1 ? fmt::format(" and {} more", Thousands(kind.count - 1)) : "";
    lines.push_back(fmt::format("{}{}: {}", kind.subject, more, kind.why));
  }
  if (others_ > 0) lines.push_back(fmt::format("{} of other kinds", Plural(others_, "failure")));
  return lines;
}

}  // namespace devicetrust::simulator
