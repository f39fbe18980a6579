// The agent's own event log on Linux: the system's journal, and a file of one JSON object a line.
#pragma once

#include <string>

#include "agent/computer.h"
#include "libs/base/clock.h"

namespace devicetrust::agent {

// Not thread-safe. Two processes may write to one file: a line is one write.
class EventLog {
 public:
  // `journal`: the socket of systemd-journald; where there is none, the file has the events alone.
  // `clock` must outlive it.
  EventLog(std::string file, const Clock& clock,
           std::string journal = "/run/systemd/journal/socket")
      : file_(std::move(file)), journal_(std::move(journal)), clock_(clock) {}

  // Never fails: an event that can be written nowhere is lost.
  void Write(const Event& event) const;

 private:
  void WriteFile(const Event& event) const;
  void WriteJournal(const Event& event) const;
  const std::string file_;
  const std::string journal_;
  const Clock& clock_;
};

inline constexpr long kEventFileBytesMax =
    1024 * 1024;  // Then it becomes FILE.1, and that is gone.

}  // namespace devicetrust::agent
