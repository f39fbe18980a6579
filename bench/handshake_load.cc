// Load generator for mutual TLS: each connection shows the next of many client
// certificates, sends one request, reads the answer to its end and closes. TLS 1.3 or 1.2 as the
// server likes, never resumed. Used by handshake_vs_nginx.
//
// It says when it was the limit itself: compare `cpu_seconds` with `seconds`.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "libs/admin/environments.h"
#include "libs/admin/json_text.h"
#include "libs/base/clock.h"
#include "libs/base/deadline.h"
#include "libs/base/files.h"
#include "libs/base/process.h"
#include "libs/base/task.h"
#include "libs/http/url.h"
#include "libs/pki/tls_context.h"
#include "libs/service/command_line.h"

namespace devicetrust::bench {
namespace {

using Tcp = boost::asio::ip::tcp;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kConnectionMax{10'000};
constexpr std::size_t kEndpointsBytesMax = 64 * 1024 * 1024;

struct Options {
  std::string run_dir;  // Of the environment that the next five come from, when none is given.
  std::string address;
  std::string host;
  std::string path = "/check";
  std::string expect;
  std::string ca_file;
  std::string certificates;
  double seconds = 5;
  int concurrency = 16;
};

struct Tally {
  std::size_t done = 0;
  std::size_t errors = 0;
  std::string first_error;
  std::vector<double> latencies_ms;
  std::size_t next_identity = 0;

  void Fail(std::string what) {
    if (errors++ == 0) first_error = std::move(what);
  }
};

struct Load {
  const Options& options;
  Tcp::endpoint endpoint;
  const pki::TlsContext& tls;
  const std::vector<pki::Identity>& identities;
  Steady::time_point end;
  Tally tally = {};
};

std::string Why(const boost::system::error_code& error, std::string_view step) {
  return fmt::format("{}: {}", step, error.message());
}

// Empty when all went well.
Task<std::string> OneConnection(Load& load) {
  const pki::Identity& identity =
      load.identities[load.tally.next_identity++ % load.identities.size()];
  Tcp::socket socket(co_await boost::asio::this_coro::executor);
  const auto [not_connected] = co_await socket.async_connect(load.endpoint, kAsTuple);
  if (not_connected) co_return Why(not_connected, "connect");
  socket.set_option(Tcp::no_delay(true));

  boost::asio::ssl::stream<Tcp::socket> stream(
      std::move(socket), load.tls.NewClientSession(load.options.host, &identity).release());
  Deadline deadline(stream.next_layer());
  deadline.Set(kConnectionMax);
  const auto [no_handshake] =
      co_await stream.async_handshake(boost::asio::ssl::stream_base::client, kAsTuple);
  if (no_handshake) co_return Why(no_handshake, "handshake");

  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", load.options.path,
                  load.options.host);
  const auto [not_sent, sent] =
      co_await boost::asio::async_write(stream, boost::asio::buffer(request), kAsTuple);
  if (not_sent) co_return Why(not_sent, "request");

  std::string answer;
  std::array<char, 4096> part;
  while (true) {
    const auto [over, size] = co_await stream.async_read_some(boost::asio::buffer(part), kAsTuple);
    answer.append(part.data(), size);
    if (over == boost::asio::error::eof) break;
    if (over) co_return Why(over, deadline.expired() ? "timeout" : "answer");
  }
  if (!answer.starts_with("HTTP/1.1 200 ")) co_return "answer: " + answer.substr(0, 40);
  if (answer.find(load.options.expect) == std::string::npos) {
    co_return "unexpected answer: " +
        answer.substr(answer.size() - std::min<std::size_t>(answer.size(), 200));
  }
  co_return "";
}

Task<void> Worker(Load& load) {
  while (Steady::now() < load.end) {
    const Steady::time_point started = Steady::now();
    std::string problem = co_await OneConnection(load);
    if (!problem.empty()) {
      load.tally.Fail(std::move(problem));
      if (load.tally.errors > 1000) co_return;
      continue;
    }
    ++load.tally.done;
    load.tally.latencies_ms.push_back(
        std::chrono::duration<double, std::milli>(Steady::now() - started).count());
  }
}

absl::StatusOr<pki::Identity> ReadIdentity(const std::string& chain_file,
                                           const std::string& key_file) {
  DT_ASSIGN_OR_RETURN(const std::string chain, ReadFile(chain_file));
  DT_ASSIGN_OR_RETURN(const std::string key, ReadFile(key_file));
  return pki::IdentityFromPem(chain, key);
}

// NAME.crt or NAME.pem, with NAME.key, of each name in the folder.
absl::StatusOr<std::vector<pki::Identity>> ReadIdentities(const std::string& folder) {
  std::vector<pki::Identity> identities;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::filesystem::path path = entry.path();
    if (path.extension() != ".crt" && path.extension() != ".pem") continue;
    std::filesystem::path key = path;
    DT_ASSIGN_OR_RETURN(pki::Identity identity,
                        ReadIdentity(path.string(), key.replace_extension(".key").string()));
    identities.push_back(std::move(identity));
  }
  if (error) return absl::NotFoundError(fmt::format("{}: {}", folder, error.message()));
  if (identities.empty()) {
    return absl::NotFoundError(folder + " holds no NAME.crt or NAME.pem with NAME.key");
  }
  return identities;
}

// The mTLS host of a `dt-sim up`, with the certificates of its enrolled devices: revoked and
// foreign ones lie beside them.
absl::StatusOr<std::vector<pki::Identity>> FromEnvironment(Options& options) {
  DT_ASSIGN_OR_RETURN(const std::string file, admin::FindEndpointsFile(options.run_dir));
  if (file.empty()) {
    return absl::InvalidArgumentError(
        "no server is named and no environment runs: give --address, --host, --ca and --certs, or "
        "start dt-sim up");
  }
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kEndpointsBytesMax));
  DT_ASSIGN_OR_RETURN(const nlohmann::ordered_json endpoints, admin::ParseJson(file, text));
  const auto member = [](const nlohmann::ordered_json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto check = http::ParseUrl(member(endpoints, "mtls_check_url"));
  if (!check.ok() || !endpoints.contains("devices") || !endpoints["devices"].is_array()) {
    return absl::InvalidArgumentError(file + " is not the endpoints.json of a dt-sim up");
  }
  options.address = fmt::format("127.0.0.1:{}", check->port);
  options.host = check->host;
  options.path = check->target;
  options.ca_file = member(endpoints, "ca_bundle");
  std::vector<pki::Identity> identities;
  for (const nlohmann::ordered_json& device : endpoints["devices"]) {
    if (!device.is_object() || member(device, "state") != "enrolled") continue;
    DT_ASSIGN_OR_RETURN(pki::Identity identity,
                        ReadIdentity(member(device, "cert_pem"), member(device, "key_pem")));
    identities.push_back(std::move(identity));
  }
  if (identities.empty()) return absl::NotFoundError(file + " lists no enrolled device");
  return identities;
}

absl::StatusOr<std::vector<pki::Identity>> Identities(Options& options) {
  if (options.address.empty() && options.host.empty() && options.ca_file.empty() &&
      options.certificates.empty()) {
    return FromEnvironment(options);
  }
  for (const auto& [value, name] :
       {std::pair(&options.address, "--address"), std::pair(&options.host, "--host"),
        std::pair(&options.ca_file, "--ca"), std::pair(&options.certificates, "--certs")}) {
    if (value->empty()) {
      return absl::InvalidArgumentError(fmt::format("{} is missing: the four name a server", name));
    }
  }
  return ReadIdentities(options.certificates);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double Percentile(std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void Print(Load& load, double seconds, double cpu_seconds) {
  Tally& tally = load.tally;
  std::sort(tally.latencies_ms.begin(), tally.latencies_ms.end());
  std::string reason = tally.first_error;
  for (char& c : reason) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  std::cout << fmt::format(
      "{{\"done\":{},\"errors\":{},\"first_error\":\"{}\",\"seconds\":{:.3f},\"per_second\":{:.1f},"
      "\"p50_ms\":{:.2f},\"p99_ms\":{:.2f},\"cpu_seconds\":{:.3f},\"certificates\":{}}}\n",
      tally.done, tally.errors, reason, seconds, static_cast<double>(tally.done) / seconds,
      Percentile(tally.latencies_ms, 0.5), Percentile(tally.latencies_ms, 0.99), cpu_seconds,
      load.identities.size());
}

absl::StatusOr<bool> Run(Options options) {
  const SystemClock clock;
  DT_ASSIGN_OR_RETURN(const std::vector<pki::Identity> identities, Identities(options));
  DT_ASSIGN_OR_RETURN(const HostPort target, ParseHostPort(options.address, "--address"));
  DT_ASSIGN_OR_RETURN(const std::string ca_pem, ReadFile(options.ca_file));
  pki::TlsClientConfig config;
  DT_ASSIGN_OR_RETURN(config.trusted, pki::CertificatesFromPem(ca_pem));
  config.clock = &clock;
  DT_ASSIGN_OR_RETURN(const pki::TlsContext tls, pki::TlsContext::ForClient(std::move(config)));

  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(target.host, error);
  if (error) return absl::InvalidArgumentError("--address must be IP:PORT");
  const auto length =
      std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(options.seconds));
  const Steady::time_point started = Steady::now();
  const double cpu_before = CpuSeconds();
  Load load{.options = options,
            .endpoint = {ip, static_cast<std::uint16_t>(target.port)},
            .tls = tls,
            .identities = identities,
            .end = started + length};
  boost::asio::io_context context(1);
  for (int i = 0; i < options.concurrency; ++i) {
    boost::asio::co_spawn(context, Worker(load), boost::asio::detached);
  }
  context.run();
  Print(load, std::chrono::duration<double>(Steady::now() - started).count(),
        CpuSeconds() - cpu_before);
  return load.tally.errors == 0;
}

}  // namespace
}  // namespace devicetrust::bench

int main(int argc, char** argv) {
  using devicetrust::service::MustBeNumber;
  devicetrust::bench::Options options;
  CLI::App app("Mutual-TLS load: one connection, one request, next certificate.",
               "dt_handshake_load");
  devicetrust::service::SetHelpForm(app);
  app.footer(
      "Examples:\n"
      "  dt_handshake_load                       the dt-sim up that runs, with its certificates\n"
      "  dt_handshake_load --run-dir run --for 30\n"
      "  dt_handshake_load --address 127.0.0.1:8444 --host mtls.localhost --ca run/pki/web-ca.pem "
      "\\\n"
      "                    --certs FOLDER        any server; FOLDER holds NAME.pem and NAME.key\n"
      "Exit codes: 0 every connection went well, 1 some did not, 2 bad usage or no server.");
  app.add_option("--run-dir", options.run_dir,
                 "Of a dt-sim up (default: DT_ENDPOINTS, else the one that runs)")
      ->type_name("FOLDER");
  app.add_option("--address", options.address, "Of the server")->type_name("IP:PORT");
  app.add_option("--host", options.host, "Its name, for SNI, Host and certificate")
      ->type_name("NAME");
  app.add_option("--ca", options.ca_file, "PEM file that vouches for it")->type_name("FILE");
  app.add_option("--certs", options.certificates, "NAME.crt or NAME.pem, with NAME.key")
      ->type_name("FOLDER");
  app.add_option("--path", options.path, "What to GET")->type_name("PATH")->capture_default_str();
  app.add_option("--expect", options.expect, "Text that a good answer holds")->type_name("TEXT");
  app.add_option("--for", options.seconds, "How long, at most 3600")
      ->type_name("SECONDS")
      ->capture_default_str();
  CLI::Option* const concurrency =
      app.add_option("--concurrency", options.concurrency, "Connections at once");
  concurrency->capture_default_str();
  MustBeNumber(*concurrency, 1, 1000);
  if (const auto code = devicetrust::service::ParseCommandLine(app, argc, argv)) return *code;
  if (!(options.seconds >= 0.1 && options.seconds <= 3600)) {
    return devicetrust::service::RefuseCommandLine(
        app, absl::InvalidArgumentError(
                 fmt::format("--for is {}, not 0.1 to 3600 seconds", options.seconds)));
  }
  devicetrust::PrepareProcess();
  const absl::StatusOr<bool> clean = devicetrust::bench::Run(std::move(options));
  if (!clean.ok()) {
    std::cerr << "dt_handshake_load: " << std::string(clean.status().message()) << "\n";
    return 2;
  }
  return *clean ? EXIT_SUCCESS : EXIT_FAILURE;
}
