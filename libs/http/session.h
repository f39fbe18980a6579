// One connection of a Server, from handshake to close. Internal to libs/http.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/deadline.h"
#include "libs/http/server.h"
#include "libs/metrics/metrics.h"
#include "libs/net/server.h"
#include "libs/net/stream.h"

namespace devicetrust::http {

// Of one listener.
struct Counts : net::Counts {
  explicit Counts(std::string_view flag);

  const std::string label;  // "org" of "--org-listen": the listener in metrics.
  std::atomic<std::uint64_t> handshakes_failed{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> requests_refused{0};
  metrics::Histogram& handshake_seconds;
  metrics::Histogram& request_seconds;

 private:
  std::vector<metrics::Reading> readings_;  // Of the counts above.
};

class Session final : public net::Session {
 public:
  // `tls`: null on plain TCP.
  Session(net::Connection connection, std::shared_ptr<const pki::TlsContext> tls,
          const ListenerConfig& listener, const Clock& clock, Counts& counts);

  Task<void> Run() override;
  void CloseWhenIdle() override;
  void Cut() override;

 private:
  enum class ReadEnd { kRequest, kRefused, kClosed };

  // Tells what is held, a message of that size included. False: no room, end.
  bool Hold(std::size_t message_bytes);
  Task<ReadEnd> ReadRequest(RequestParser& parser);
  Task<Response> Answer(const Request& request);
  // `finishes`: says goodbye with it and waits for no answer.
  Task<bool> Write(Response response, bool head_only, bool keep_alive, bool finishes);
  Task<void> Refuse(const Refusal& refusal);
  // Whether the peer has sent more than was read.
  bool HoldsUnread();
  // Says goodbye, and reads on for a moment without looking: a socket that is closed with octets
  // unread makes the peer lose what it has not read yet.
  Task<void> Linger();

  static constexpr std::size_t kBufferBytes = 8192;

  const std::shared_ptr<const pki::TlsContext> tls_;  // Outlives the stream.
  net::Admission& admission_;
  std::unique_ptr<net::Stream> stream_;
  const ListenerConfig& listener_;
  const Clock& clock_;
  Counts& counts_;
  Deadline deadline_;
  Connection connection_;
  std::unique_ptr<char[]> buffer_;  // kBufferBytes, once the handshake is over.
  std::string_view pending_;        // The part of buffer_ not yet parsed.
  bool idle_ = false;
  bool closing_ = false;
};

// The whole answer as octets, but for a shared body; adds the hygiene fields. A field of `response`
// that could split the answer (a control octet) turns it into a bare 500.
std::string FormatResponse(Response& response, bool tls, bool head_only, bool keep_alive,
                           WallTime now);

}  // namespace devicetrust::http
