// Stands in front of a port of this machine, so that the way to it can be bad: slow, or cut.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "libs/base/status.h"

namespace devicetrust::simulator {

// Passes octets on as they come, whatever they say. Thread-safe.
class TcpRelay {
 public:
  // Listens on a free loopback port and connects each client to `target`, "127.0.0.1:PORT".
  // kInvalidArgument: that is no such address; kUnavailable: no port.
  static absl::StatusOr<std::unique_ptr<TcpRelay>> Start(const std::string& target);
  ~TcpRelay();  // Closes all connections.
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  std::string address() const;  // "127.0.0.1:PORT"

  // What the target sends arrives so much later; as much of it as before, as on a long way.
  void SetDelay(std::chrono::nanoseconds delay);
  // Breaks all connections; new ones are reset until it is mended.
  void SetCut(bool cut);

 private:
  struct State;
  explicit TcpRelay(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::simulator
