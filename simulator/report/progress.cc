#include "simulator/report/progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace devicetrust::simulator {
namespace {

constexpr int kBarCellsMax = 28;

std::chrono::milliseconds Every(const Style& style) {
  return style.terminal ? std::chrono::milliseconds(100) : std::chrono::seconds(2);
}

}  // namespace

void Meter::Start() {
  const MutexLock lock(mutex_);
  if (start_ == Monotonic::time_point{}) start_ = Monotonic::now();
}

void Meter::Done(std::chrono::microseconds response, std::chrono::microseconds service) {
  if (recorder_ != nullptr) recorder_->Done(name_, response, service);
  const MutexLock lock(mutex_);
  ++done_;
  latency_.Record(response);
  service_.Record(service);
}

void Meter::Failed() {
  if (recorder_ != nullptr) recorder_->Failed(name_);
  const MutexLock lock(mutex_);
  ++errors_;
}

void Meter::Stop() {
  const MutexLock lock(mutex_);
  stop_ = Monotonic::now();
}

Meter::Snapshot Meter::Read() const {
  const MutexLock lock(mutex_);
  Snapshot snapshot{name_, total_, done_, errors_, 0, latency_, service_};
  if (start_ != Monotonic::time_point{}) {
    const auto end = stop_ == Monotonic::time_point{} ? Monotonic::now() : stop_;
    snapshot.seconds = std::chrono::duration<double>(end - start_).count();
  }
  return snapshot;
}

std::string ProgressLine(const Meter::Snapshot& meter, const Style& style) {
  const std::uint64_t ended = meter.done + meter.errors;
  const std::string name = PadRight(meter.name, 10);
  const std::string count =
      PadLeft(fmt::format("{}/{}", Thousands(ended), Thousands(meter.total)), 16);
  const std::string rate = PadLeft(Rate(meter.PerSecond()), 10);
  const std::string p50 = fmt::format("   p50 {}", Latency(meter.latency.Percentile(50)));
  const std::string p99 = fmt::format("  p99 {}", Latency(meter.latency.Percentile(99)));
  std::string errors;
  if (meter.errors > 0) errors = "   " + Plural(meter.errors, "error");
  if (!style.terminal) return name + count + rate + p50 + p99 + errors;

  const auto room_beside = [&](const std::string& figures) {
    return style.columns - 1 - static_cast<int>(Columns(name + figures + errors));
  };
  // A number that is cut is another number.
  std::string figures = count + rate + p50 + p99;
  for (const std::string& fewer : {count + rate + p99, count + p99, count}) {
    if (room_beside(figures) >= 0) break;
    figures = fewer;
  }
  const int room = room_beside(figures);
  if (room < 0) {
    const std::string least = fmt::format("{}/{}", Thousands(ended), Thousands(meter.total));
    return Columns(least) < static_cast<std::size_t>(std::max(style.columns, 0)) ? least : "";
  }
  const double fraction =
      meter.total == 0 ? 1 : static_cast<double>(ended) / static_cast<double>(meter.total);
  const std::string line = name + Bar(fraction, std::clamp(room, 0, kBarCellsMax)) + figures;
  return errors.empty() ? line : line + style.Bad(errors);
}

Progress::Progress(std::FILE* out, const Style& style, std::vector<const Meter*> meters)
    : out_(out), style_(style), meters_(std::move(meters)), loop_(Every(style_), [this] {
        Draw(/*last=*/false);
        return Every(style_);
      }) {}

Progress::~Progress() {
  loop_.Stop();
  Draw(/*last=*/true);
}

void Progress::Draw(bool last) {
  std::string text;
  if (style_.terminal && lines_drawn_ > 0) text = fmt::format("\x1b[{}A", lines_drawn_);
  lines_drawn_ = 0;
  for (const Meter* meter : meters_) {
    const Meter::Snapshot snapshot = meter->Read();
    // Without a terminal a meter that has not begun, or has ended, would only repeat itself.
    const std::uint64_t ended = snapshot.done + snapshot.errors;
    if (!style_.terminal && !last && (ended == 0 || ended == snapshot.total)) continue;
    if (style_.terminal) text += "\r\x1b[2K";
    text += ProgressLine(snapshot, style_) + "\n";
    ++lines_drawn_;
  }
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

}  // namespace devicetrust::simulator
