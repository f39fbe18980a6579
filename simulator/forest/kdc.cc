#include "simulator/forest/kdc.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <krb5.h>
#include <netinet/in.h>
#include <profile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "libs/base/ascii.h"
#include "libs/base/files.h"

namespace devicetrust::simulator {
namespace {

constexpr int kPortAttempts = 5;
constexpr auto kStartLimit = std::chrono::seconds(10);

// A socket on 127.0.0.1, closed at the end of the scope.
class LoopbackSocket {
 public:
  explicit LoopbackSocket(int type) : descriptor_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {}
  ~LoopbackSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;

  // The bound port, or 0.
  std::uint16_t Bind(std::uint16_t port) {
    const int on = 1;  // As krb5kdc does: connections in TIME_WAIT are no obstacle.
    ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = Address(port);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(descriptor_, generic, size) != 0) return 0;
    if (::getsockname(descriptor_, generic, &size) != 0) return 0;
    return ntohs(address.sin_port);
  }
  bool Listen() { return ::listen(descriptor_, 1) == 0; }
  bool Connect(std::uint16_t port) {
    const sockaddr_in address = Address(port);
    return ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

 private:
  static sockaddr_in Address(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  int descriptor_;
};

// A port that is free for UDP and TCP at this moment, or 0.
std::uint16_t FreePort(std::uint16_t wanted) {
  LoopbackSocket udp(SOCK_DGRAM);
  LoopbackSocket tcp(SOCK_STREAM);
  const std::uint16_t port = tcp.Bind(wanted);
  return port != 0 && tcp.Listen() && udp.Bind(port) == port ? port : std::uint16_t{0};
}

absl::StatusOr<std::string> FindProgram(const std::string& configured) {
  for (const std::string& path :
       {configured, std::string("/usr/sbin/krb5kdc"), std::string("/usr/local/sbin/krb5kdc")}) {
    if (!path.empty() && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return absl::NotFoundError("krb5kdc is not installed; on Debian: apt-get install krb5-kdc");
}

absl::StatusOr<std::string> FindPlugin(const std::string& configured) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string path =
      configured.empty() ? (self.parent_path().parent_path() / "lib/dt_forest_kdb.so").string()
                         : configured;
  if (::access(path.c_str(), R_OK) == 0) return path;
  return absl::NotFoundError("the KDC plug-in is missing: " + path +
                             "; build the target dt_forest_kdb");
}

std::string ClientConfiguration(const KdcConfig& config, std::uint16_t port) {
  std::string realms;
  std::string domains;
  for (const std::string& realm : config.realms) {
    realms += fmt::format("  {} = {{\n    kdc = 127.0.0.1:{}\n  }}\n", realm, port);
    domains += fmt::format("  .{0} = {1}\n  {0} = {1}\n", LowerCase(realm), realm);
  }
  // Nothing is looked up outside, and nothing of the user's own tickets or keys is touched.
  // UDP first: a logon costs half as many system calls. No plug-ins of the system's: Windows knows
  // no SPAKE.
  return fmt::format(
      "[libdefaults]\n  default_realm = {0}\n  dns_lookup_kdc = false\n"
      "  dns_lookup_realm = false\n  dns_canonicalize_hostname = false\n  rdns = false\n"
      "  permitted_enctypes = aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96"
      " aes128-cts-hmac-sha256-128\n"
      "  udp_preference_limit = 32700\n  noaddresses = true\n  forwardable = false\n"
      "  default_ccache_name = FILE:{1}/krb5cc_%{{uid}}\n"
      "  default_keytab_name = FILE:{1}/none.keytab\n"
      "  default_client_keytab_name = FILE:{1}/none.keytab\n"
      "  plugin_base_dir = {1}/none\n"
      "[realms]\n{2}[domain_realm]\n{3}",
      config.realms.front(), config.run_dir, realms, domains);
}

std::string KdcConfiguration(const KdcConfig& config, std::uint16_t port,
                             const std::filesystem::path& plugin, const std::string& log) {
  std::string realms;
  for (const std::string& realm : config.realms) {
    realms += fmt::format("  {} = {{\n    database_module = forest\n  }}\n", realm);
  }
  return fmt::format(
      "[kdcdefaults]\n  kdc_listen = 127.0.0.1:{0}\n  kdc_tcp_listen = 127.0.0.1:{0}\n"
      "  kdc_tcp_listen_backlog = 128\n  kdc_max_dgram_reply_size = 16384\n"
      "  no_host_referral = *\n"
      "[realms]\n{1}"
      "[dbmodules]\n  db_module_dir = {2}\n  forest = {{\n    db_library = {3}\n"
      "    table = {4}\n  }}\n"
      "[logging]\n  kdc = FILE:{5}\n",
      port, realms, plugin.parent_path().string(), plugin.stem().string(), config.table, log);
}

// Someone took the port between FreePort() and krb5kdc's own bind.
bool LostThePort(const std::string& log) {
  return FileTail(log, 2048).find("Address already in use") != std::string::npos;
}

// A real exchange, under the KDC's own configuration and not this process's: it must know the
// realm and not the account.
bool AnswersFor(const std::string& config_path, const std::string& realm) {
  profile_t profile = nullptr;
  krb5_context context = nullptr;
  krb5_principal nobody = nullptr;
  krb5_creds creds{};
  if (profile_init_path(config_path.c_str(), &profile) != 0) return false;
  krb5_error_code code = krb5_init_context_profile(profile, 0, &context);
  profile_release(profile);
  if (code != 0) return false;
  code = krb5_build_principal(context, &nobody, static_cast<unsigned>(realm.size()), realm.c_str(),
                              "dt-is-it-up", nullptr);
  if (code == 0) {
    code = krb5_get_init_creds_password(context, &creds, nobody, "", nullptr, nullptr, 0, nullptr,
                                        nullptr);
  }
  krb5_free_cred_contents(context, &creds);
  krb5_free_principal(context, nobody);
  krb5_free_context(context);
  return code == KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN;
}

}  // namespace

Kdc::Kdc(KdcConfig config, std::uint16_t port)
    : config_(std::move(config)),
      port_(port),
      config_path_(config_.run_dir + "/krb5.conf"),
      kdc_config_path_(config_.run_dir + "/kdc.conf"),
      log_path_(config_.run_dir + "/krb5kdc.log") {}

Kdc::~Kdc() { Stop(); }

absl::StatusOr<std::unique_ptr<Kdc>> Kdc::Start(const KdcConfig& config) {
  KdcConfig complete = config;
  DT_ASSIGN_OR_RETURN(complete.program, FindProgram(config.program));
  DT_ASSIGN_OR_RETURN(complete.plugin, FindPlugin(config.plugin));
  if (config.realms.empty()) return absl::InvalidArgumentError("a KDC needs a realm");

  absl::Status last;
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    const std::uint16_t port = FreePort(config.port);
    if (port == 0 && config.port != 0) {
      return absl::AlreadyExistsError(fmt::format(
          "port {} of 127.0.0.1 is in use; free it or choose another for the KDC", config.port));
    }
    if (port == 0) continue;
    std::unique_ptr<Kdc> kdc(new Kdc(complete, port));
    last = kdc->Launch(config.log_requests);
    if (last.ok()) return kdc;
    if (absl::IsNotFound(last)) return last;
    // Again, this time with its log: without one it ends without saying why.
    last = kdc->Launch(/*log_requests=*/true);
    if (last.ok()) return kdc;
    if (config.port != 0 || !LostThePort(kdc->log_path_)) return last;
  }
  return last;
}

absl::Status Kdc::WriteConfiguration(bool log_requests) const {
  DT_RETURN_IF_ERROR(WriteFileAtomically(config_path_, ClientConfiguration(config_, port_), 0644));
  return WriteFileAtomically(
      kdc_config_path_,
      KdcConfiguration(config_, port_, config_.plugin, log_requests ? log_path_ : "/dev/null"));
}

absl::Status Kdc::Launch(bool log_requests) {
  Stop();
  DT_RETURN_IF_ERROR(WriteConfiguration(log_requests));
  ChildConfig child;
  child.arguments = {config_.program, "-n"};
  for (const std::string& realm : config_.realms) {
    child.arguments.insert(child.arguments.end(), {"-r", realm});
  }
  child.environment = {"KRB5_CONFIG=" + config_path_, "KRB5_KDC_PROFILE=" + kdc_config_path_,
                       "KRB5RCACHEDIR=" + config_.run_dir, "TMPDIR=" + config_.run_dir,
                       "TZ=UTC0"};  // Else it looks at /etc/localtime for every answer.
  child.output = config_.run_dir + "/krb5kdc.out";
  DT_ASSIGN_OR_RETURN(child_, ChildProcess::Start(child));
  return WaitUntilItAnswers();
}

absl::Status Kdc::WaitUntilItAnswers() const {
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < limit) {
    if (LoopbackSocket probe(SOCK_STREAM); probe.Connect(port_)) {
      if (AnswersFor(config_path_, config_.realms.front())) return absl::OkStatus();
    }
    if (child_->WaitForEnd(std::chrono::milliseconds(2))) return Check();
  }
  return Failed("does not answer");
}

absl::Status Kdc::Failed(const std::string& how) const {
  return absl::UnavailableError(fmt::format("krb5kdc {}. Its last output:\n{}{}", how,
                                            child_->LastOutput(), FileTail(log_path_, 2048)));
}

absl::Status Kdc::Check() const {
  const std::optional<std::string> ending = child_->ending();
  return ending ? Failed(fmt::format("ended by itself ({})", *ending)) : absl::OkStatus();
}

absl::Status Kdc::StartAgain() { return Launch(config_.log_requests); }

void Kdc::Stop() {
  if (child_ != nullptr) child_->Stop();
}

}  // namespace devicetrust::simulator
