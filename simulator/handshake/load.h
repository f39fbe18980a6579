// Mutual-TLS load on one server: connections that each show another certificate, at a rate that
// does not wait for the server or as many at once as wanted, and what became of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "simulator/handshake/client_certificates.h"
#include "simulator/handshake/listeners.h"
#include "simulator/handshake/tls_client.h"
#include "simulator/report/failures.h"
#include "simulator/report/histogram.h"

namespace devicetrust::simulator {

struct LoadPlan {
  std::string address;  // An IP address.
  std::uint16_t port = 0;
  TlsClientOptions tls;
  ClientCertificates certificates;
  int revoked_percent = 0;  // Of the connections that show one of certificates.revoked.
  int resume_percent = 0;   // Of the connections that go on from an earlier session.
  std::string request;      // The whole of it; empty: none, the handshake alone.
  // What a good answer holds; empty: any that begins with "HTTP/1." and has status 200.
  std::string expect;
  // The same for who shows a revoked one; empty: an alert, or any status but 200.
  std::string expect_revoked;

  std::uint64_t per_second = 0;  // Open: they come at this rate, whatever happens; 0: closed.
  bool poisson = false;
  std::uint64_t seed = 1;
  int concurrency = 16;          // Closed: so many at once, the next begins when one ends.
  int in_flight_max = 10'000;    // Open: further arrivals wait, and that counts as their latency.
  std::chrono::seconds ramp{0};  // Rate or concurrency rise to it; not in the figures.
  std::chrono::seconds duration{5};   // Of what is in the figures.
  std::uint64_t connections_max = 0;  // Ends after so many, ramp included; 0: after the duration.
  std::chrono::seconds timeout{10};
  int threads = 1;
};

struct LoadResult {
  double seconds = 0;  // From the end of the ramp to the last connection.
  std::uint64_t begun = 0;
  std::uint64_t done = 0;     // All came out as expected; what follows counts only after the ramp.
  std::uint64_t resumed = 0;  // Of those.
  std::uint64_t revoked = 0;  // Of those: refused, as they should be.
  std::map<std::string, std::uint64_t> outcomes;  // "200", "alert certificate revoked", …
  std::map<std::string, std::uint64_t> agreed;    // "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519".
  Failures failures;
  Histogram latency;    // From the intended start to the server's close.
  Histogram handshake;  // From the intended start to a handshake that is done for the client.
  Histogram late;       // From the intended to the actual start: the generator's or --in-flight's.
  std::uint64_t waited = 0;  // Arrivals that found in_flight_max connections.
  double client_cpu_seconds = 0;
  double busiest_thread = 0;       // Share of the time that one of ours ran or waited for a core.
  std::optional<Listener> server;  // When it is on this machine.
  double server_cpu_seconds = 0;
  int interrupted_by = 0;  // A signal; 0: none.
};

// Blocks until it is over; SIGINT, SIGTERM and SIGHUP end it early (see PrepareProcess()).
// Errors: kInvalidArgument for an address that is none; kUnavailable when nobody listens there.
absl::StatusOr<LoadResult> RunLoad(const LoadPlan& plan);

// Whether what was measured is the server: else each sentence says what was.
std::vector<std::string> Limits(const LoadPlan& plan, const LoadResult& result, int cores);

}  // namespace devicetrust::simulator
