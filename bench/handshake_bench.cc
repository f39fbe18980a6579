// One full mutual-TLS handshake in memory, client and server on one thread: what the
// network and HTTP add is measured by handshake_vs_peers.
#include <benchmark/benchmark.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/_experimental/test/stream.hpp>
#include <vector>

#include "libs/base/task.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/tls_context.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust {
namespace {

using Pipe = boost::beast::test::stream;
using TlsPipe = boost::asio::ssl::stream<Pipe&>;

Task<void> Handshake(TlsPipe& stream, boost::asio::ssl::stream_base::handshake_type side,
                     bool& done) {
  const auto [error] = co_await stream.async_handshake(side, kAsTuple);
  done = !error;
}

// `seen_before`: the verdict on the client's certificate is in the validator's cache.
void BM_MutualHandshake(benchmark::State& state, bool seen_before) {
  const SystemClock clock;
  const WallTime now = clock.Now();
  const pki::Identity device_ca = throwaway::NewCa("MTLS Certificate Authority", now);
  throwaway::ThrowawayPki pki("acme", now);
  std::vector<pki::Identity> devices;
  for (int i = 0; i < (seen_before ? 1 : 256); ++i) {
    devices.push_back(
        throwaway::NewDevice("acme", std::to_string(i), std::to_string(i), device_ca, now));
  }

  pki::TlsServerConfig server_config{.identity = pki.Server("mtls", {"mtls.localhost"})};
  // A cache of one entry has always forgotten the certificate when its turn comes again.
  server_config.client_validator =
      pki::CertificateValidator::Create({device_ca.certificate}, clock, seen_before ? 1024 : 1)
          .value();
  const auto server = pki::TlsContext::ForServer(std::move(server_config)).value();
  pki::TlsClientConfig client_config;
  client_config.trusted = {pki.web_ca().certificate};
  client_config.clock = &clock;
  const auto client = pki::TlsContext::ForClient(std::move(client_config)).value();

  std::size_t next = 0;
  for (auto _ : state) {
    boost::asio::io_context context(1);
    Pipe server_end(context);
    Pipe client_end(context);
    server_end.connect(client_end);
    TlsPipe server_stream(server_end, server.NewSession().release());
    TlsPipe client_stream(
        client_end,
        client.NewClientSession("mtls.localhost", &devices[next++ % devices.size()]).release());
    bool server_done = false;
    bool client_done = false;
    boost::asio::co_spawn(
        context, Handshake(server_stream, boost::asio::ssl::stream_base::server, server_done),
        boost::asio::detached);
    boost::asio::co_spawn(
        context, Handshake(client_stream, boost::asio::ssl::stream_base::client, client_done),
        boost::asio::detached);
    context.run();
    if (!server_done || !client_done) return state.SkipWithError("handshake failed");
    if (pki::PeerVerdict(server_stream.native_handle()) != pki::CertificateVerdict::kValid) {
      return state.SkipWithError("the device is not trusted");
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(BM_MutualHandshake, new_certificate, false);
BENCHMARK_CAPTURE(BM_MutualHandshake, seen_certificate, true);

}  // namespace
}  // namespace devicetrust
