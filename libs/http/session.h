// One connection of a Server, from handshake to close. Internal to libs/http.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/deadline.h"
#include "libs/http/server.h"
#include "libs/http/stream.h"
#include "libs/metrics/metrics.h"

namespace devicetrust::http {

// Of one listener.
struct Counts {
  explicit Counts(std::string_view flag);

  const std::string label;  // "org" of "--org-listen": the listener in metrics.
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> connections_open{0};
  std::atomic<std::uint64_t> handshakes_failed{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> requests_refused{0};
  metrics::Histogram& handshake_seconds;
  metrics::Histogram& request_seconds;

 private:
  std::vector<metrics::Reading> readings_;  // Of the counts above.
};

class Session {
 public:
  // `tls`: null on plain TCP.
  Session(boost::asio::ip::tcp::socket socket, std::shared_ptr<const pki::TlsContext> tls,
          const ListenerConfig& listener, const Clock& clock, Counts& counts);

  // Serves until either side is done. Call once.
  Task<void> Run();

  // Both on the session's thread, at any time during Run().
  void CloseWhenIdle();  // At once when idle, else after the answer in hand.
  void Cut();

 private:
  enum class ReadEnd { kRequest, kRefused, kClosed };

  Task<ReadEnd> ReadRequest(RequestParser& parser);
  Task<Response> Answer(const Request& request);
  Task<bool> Write(Response response, bool head_only, bool keep_alive);
  Task<void> Refuse(const Refusal& refusal);

  const std::shared_ptr<const pki::TlsContext> tls_;  // Outlives the stream.
  std::unique_ptr<Stream> stream_;
  const ListenerConfig& listener_;
  const Clock& clock_;
  Counts& counts_;
  Deadline deadline_;
  Connection connection_;
  std::array<char, 8192> buffer_;
  std::string_view pending_;  // The part of buffer_ not yet parsed.
  bool idle_ = false;
  bool closing_ = false;
};

// The whole answer as octets; adds the hygiene fields. A field of `response` that could
// split the answer (a control octet) turns it into a bare 500.
std::string FormatResponse(Response response, bool tls, bool head_only, bool keep_alive,
                           WallTime now);

}  // namespace devicetrust::http
