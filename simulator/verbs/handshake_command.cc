#include "simulator/verbs/handshake_command.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "libs/admin/environments.h"
#include "libs/admin/json_text.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/process.h"
#include "libs/http/url.h"
#include "simulator/handshake/load.h"
#include "simulator/handshake/load_report.h"
#include "simulator/report/format.h"

namespace devicetrust::simulator {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kEndpointsBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kMadeByDefault = 1000;
constexpr std::string_view kDeviceUri = "urn:devicetrust:";

// The one that `dt-sim up` keeps running, as its endpoints.json has it.
struct RunningEnvironment {
  std::string file;
  std::string host;
  std::uint16_t port = 0;
  std::string check_path;
  std::string test_keys;
  ClientCertificates certificates;
};

std::string TextMember(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

absl::StatusOr<pki::Identity> ReadIdentity(const std::string& chain_file,
                                           const std::string& key_file) {
  DT_ASSIGN_OR_RETURN(const std::string chain, ReadFile(chain_file));
  DT_ASSIGN_OR_RETURN(const std::string key, ReadFile(key_file));
  return pki::IdentityFromPem(chain, key);
}

absl::Status ReadDevices(const Json& devices, ClientCertificates& certificates) {
  for (const Json& device : devices) {
    if (!device.is_object()) continue;
    const std::string state = TextMember(device, "state");
    if (state != "enrolled" && state != "revoked") continue;
    DT_ASSIGN_OR_RETURN(pki::Identity identity, ReadIdentity(TextMember(device, "cert_pem"),
                                                             TextMember(device, "key_pem")));
    (state == "enrolled" ? certificates.current : certificates.revoked)
        .push_back(std::move(identity));
  }
  return absl::OkStatus();
}

// Nothing when none is named and none runs.
absl::StatusOr<std::optional<RunningEnvironment>> FindEnvironment(const std::string& run_dir) {
  DT_ASSIGN_OR_RETURN(const std::string file, admin::FindEndpointsFile(run_dir));
  if (file.empty()) return std::optional<RunningEnvironment>();
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kEndpointsBytesMax));
  DT_ASSIGN_OR_RETURN(const Json endpoints, admin::ParseJson(file, text));
  const auto check = http::ParseUrl(TextMember(endpoints, "mtls_check_url"));
  if (!check.ok() || !endpoints.contains("devices") || !endpoints["devices"].is_array()) {
    return absl::InvalidArgumentError(file + " is not the endpoints.json of a dt-sim up");
  }
  RunningEnvironment environment{.file = file,
                                 .host = check->host,
                                 .port = check->port,
                                 .check_path = check->target,
                                 .test_keys = TextMember(endpoints, "test_keys"),
                                 .certificates = {}};
  DT_RETURN_IF_ERROR(ReadDevices(endpoints["devices"], environment.certificates));
  if (environment.certificates.current.empty()) {
    return absl::NotFoundError(file + " lists no enrolled device");
  }
  return std::optional<RunningEnvironment>(std::move(environment));
}

// "acme" of urn:devicetrust:acme:device:…
std::string OrgOf(const pki::Certificate& device) {
  for (const std::string& uri : device.uris()) {
    if (uri.starts_with(kDeviceUri)) {
      return uri.substr(kDeviceUri.size(), uri.find(':', kDeviceUri.size()) - kDeviceUri.size());
    }
  }
  return "load";
}

// With a key that an environment keeps for tests.
absl::StatusOr<pki::Identity> ReadTestKey(const RunningEnvironment& environment, const char* name) {
  const std::string base = environment.test_keys + "/" + name;
  return ReadIdentity(base + ".pem", base + ".key");
}

// Beyond those that enrolled: more of the same CA, with the key that an environment keeps for
// tests.
absl::Status AddMade(const RunningEnvironment& environment, std::size_t wanted, WallTime now,
                     std::vector<pki::Identity>& certificates) {
  if (wanted <= certificates.size()) {
    if (wanted > 0)
      certificates.erase(certificates.begin() + static_cast<std::ptrdiff_t>(wanted),
                         certificates.end());
    return absl::OkStatus();
  }
  DT_ASSIGN_OR_RETURN(const pki::Identity ca, ReadTestKey(environment, "device-ca"));
  MakeDevices(ca, OrgOf(certificates.front().certificate), wanted - certificates.size(), now,
              certificates);
  return absl::OkStatus();
}

// Its first address. *.localhost is this computer, whatever the resolver says (RFC 6761).
absl::StatusOr<std::string> AddressOf(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost")) return "127.0.0.1";
  const std::string bare =
      host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(bare.c_str(), nullptr, &hints, &found); error != 0) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", host, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return absl::InvalidArgumentError(host + " has no address");
  }
  return std::string(text.data());
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> octets{};
  return inet_pton(AF_INET, host.c_str(), octets.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), octets.data()) == 1;
}

absl::Status ChooseCertificates(const HandshakeOptions& options,
                                const std::optional<RunningEnvironment>& environment,
                                LoadPlan& plan) {
  const SystemClock clock;
  if (!options.certificates_path.empty()) {
    DT_ASSIGN_OR_RETURN(plan.certificates,
                        ReadClientCertificatesAndRevoked(options.certificates_path));
    std::vector<pki::Identity>& current = plan.certificates.current;
    if (options.certificates > current.size()) {
      return absl::InvalidArgumentError(fmt::format("--certificates is {}, and {} holds {}",
                                                    options.certificates, options.certificates_path,
                                                    current.size()));
    }
    if (options.certificates > 0) {
      current.erase(current.begin() + static_cast<std::ptrdiff_t>(options.certificates),
                    current.end());
    }
  } else if (environment) {
    plan.certificates = environment->certificates;
    DT_RETURN_IF_ERROR(
        AddMade(*environment, options.certificates, clock.Now(), plan.certificates.current));
  } else {
    return absl::InvalidArgumentError(
        "there are no client certificates: name some with --certs, make some with\n"
        "        dt-sim handshake --make FOLDER, or start an environment with dt-sim up");
  }
  if (options.revoked > 0 && plan.certificates.revoked.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("--revoked is {}, and there is no revoked certificate: --certs wants a folder "
                    "that has revoked.pem, as --make writes it",
                    options.revoked));
  }
  return absl::OkStatus();
}

// What is its own where nothing else is named.
void UseMtlsHost(const HandshakeOptions& options, const RunningEnvironment& environment,
                 LoadPlan& plan, std::string& host, std::string& path) {
  plan.port = environment.port;
  host = environment.host;
  if (path.empty()) path = environment.check_path;
  if (!options.no_request && options.request.empty()) {
    if (plan.expect.empty()) plan.expect = "\"trusted\":true";
    if (plan.expect_revoked.empty()) plan.expect_revoked = "\"trusted\":false";
  }
}

absl::StatusOr<LoadPlan> PlanOf(const HandshakeOptions& options) {
  LoadPlan plan;
  std::optional<RunningEnvironment> environment;
  if (options.target.empty() || options.certificates_path.empty()) {
    DT_ASSIGN_OR_RETURN(environment, FindEnvironment(options.run_dir));
  }
  if (options.target.empty() && !environment) {
    return absl::InvalidArgumentError(
        "no server is named and no environment runs: give HOST:PORT, or start dt-sim up");
  }
  DT_RETURN_IF_ERROR(ChooseCertificates(options, environment, plan));

  plan.expect = options.expect;
  plan.expect_revoked = options.expect_revoked;
  std::string host;
  std::string path = options.request;
  if (options.target.empty()) {
    UseMtlsHost(options, *environment, plan, host, path);
  } else {
    DT_ASSIGN_OR_RETURN(const HostPort target, ParseHostPort(options.target, "HOST:PORT"));
    host = target.host;
    plan.port = static_cast<std::uint16_t>(target.port);
  }
  DT_ASSIGN_OR_RETURN(plan.address, AddressOf(host));
  const std::string name = options.server_name.empty() ? host : options.server_name;
  if (!IsAddress(name)) plan.tls.server_name = name;
  if (!options.ca_file.empty()) {
    DT_ASSIGN_OR_RETURN(const std::string pem, ReadFile(options.ca_file));
    DT_ASSIGN_OR_RETURN(plan.tls.trusted, pki::CertificatesFromPem(pem));
  }
  if (!options.no_request) {
    plan.request = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                               path.empty() ? "/" : path, name);
  }
  plan.tls.version = options.tls == "1.2"   ? TlsVersion::k12
                     : options.tls == "1.3" ? TlsVersion::k13
                                            : TlsVersion::kAny;
  plan.revoked_percent = options.revoked;
  plan.resume_percent = options.resume;
  plan.per_second = options.rate;
  plan.poisson = options.arrivals == "poisson";
  plan.seed = options.seed;
  plan.concurrency = options.concurrency;
  plan.in_flight_max = options.in_flight;
  plan.ramp = std::chrono::seconds(options.ramp);
  plan.duration = std::chrono::seconds(options.duration);
  plan.connections_max = options.connections;
  plan.timeout = std::chrono::seconds(options.timeout);
  plan.threads = options.threads;
  return plan;
}

absl::StatusOr<int> MakeCertificates(const HandshakeOptions& options, std::FILE* out) {
  const SystemClock clock;
  FolderPlan plan{
      .certificates = options.certificates > 0 ? options.certificates : kMadeByDefault,
      .revoked = options.revoked_certificates,
      .revoked_in_all = std::max(options.revoked_entries, options.revoked_certificates)};
  if (!options.server_name.empty()) plan.server_name = options.server_name;
  if (!options.run_dir.empty()) {
    DT_ASSIGN_OR_RETURN(const auto environment, FindEnvironment(options.run_dir));
    for (const char* const name : {"device-ca", "device-root"}) {
      DT_ASSIGN_OR_RETURN(pki::Identity authority, ReadTestKey(*environment, name));
      plan.authorities.push_back(std::move(authority));
    }
    plan.org = OrgOf(environment->certificates.current.front().certificate);
  }
  DT_RETURN_IF_ERROR(MakeFolder(plan, options.make, clock.Now()));
  fmt::print(out,
             "{}: {} of a CA that the server is to trust (ca.pem), {} and {} in its list "
             "(crl.pem);\nfor the server, if it has none: server.pem and server.key for {}, which "
             "server-ca.pem signs.\n  dt-sim handshake {}:PORT --certs {} --ca {}/server-ca.pem\n",
             options.make, Plural(plan.certificates, "certificate"),
             Plural(plan.revoked, "revoked certificate"), Thousands(plan.revoked_in_all),
             plan.server_name, plan.server_name, ShellQuoted(options.make),
             ShellQuoted(options.make));
  return 0;
}

}  // namespace

absl::StatusOr<int> Handshake(const HandshakeOptions& options, std::FILE* out) {
  if (!options.make.empty()) return MakeCertificates(options, out);
  DT_ASSIGN_OR_RETURN(const LoadPlan plan, PlanOf(options));
  DT_ASSIGN_OR_RETURN(const LoadResult result, RunLoad(plan));
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  const std::vector<std::string> limits = Limits(plan, result, cores);
  if (options.json_path == "-") {
    std::fputs(LoadJson(plan, result, limits).c_str(), out);
  } else {
    std::fputs(LoadSummary(plan, result, limits).c_str(), out);
    if (!options.json_path.empty()) {
      DT_RETURN_IF_ERROR(
          WriteFileAtomically(options.json_path, LoadJson(plan, result, limits), 0644));
    }
  }
  if (result.interrupted_by != 0) return 128 + result.interrupted_by;
  return result.failures.empty() && result.done > 0 ? 0 : 1;
}

}  // namespace devicetrust::simulator
