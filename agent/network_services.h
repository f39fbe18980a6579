// Services over the network: HTTPS to the org host, gRPC over TLS to IWA and CA.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "agent/services.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"

namespace grpc {
class Channel;
}

namespace devicetrust::agent {

struct NetworkConfig {
  std::string org_trust_pem;    // CA certificates that the org host's chain must end in.
  std::string http_proxy = {};  // "http://[USER:PASSWORD@]HOST:PORT" for all calls; empty: none.
  std::string proxy_note = {};  // Why the proxy is told no password, for when it refuses.
  // Computers that share this object also share the org's answer for so long; 0: each asks.
  std::chrono::milliseconds discovery_kept{0};
  // Connections to each server, used in turn: one HTTP/2 connection is one core's work.
  std::size_t channels_per_server = 1;
  std::chrono::milliseconds call_timeout{10'000};
};

class NetworkServices final : public Services {
 public:
  // `clock` judges the org host's certificate and must outlive this object.
  NetworkServices(NetworkConfig config, const Clock& clock);
  ~NetworkServices() override;

  absl::StatusOr<std::shared_ptr<const Discovery>> Discover(const std::string& org_url) override;
  absl::StatusOr<TokenAnswer> IssueDeviceToken(const Discovery& discovery, const IwaEntry& iwa,
                                               const Bytes& spnego,
                                               const std::string& key_thumbprint) override;
  absl::StatusOr<TokenAnswer> IssueUserToken(const Discovery& discovery, const IwaEntry& iwa,
                                             const Bytes& spnego, const std::string& key_thumbprint,
                                             const std::string& device_token) override;
  absl::StatusOr<CertificateAnswer> Enroll(const Discovery& discovery,
                                           const std::string& user_token, const Bytes& csr_der,
                                           const Renewed& renewed) override;

 private:
  struct Kept {
    std::shared_ptr<const Discovery> discovery;
    std::chrono::steady_clock::time_point until;
  };
  struct Server {
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    std::size_t next = 0;
  };

  // kInvalidArgument: one is no certificate.
  absl::StatusOr<std::vector<pki::Certificate>> ParseIssuers(std::vector<std::string> der);
  std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address,
                                           const std::string& trust_pem);

  const NetworkConfig config_;
  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, Kept> kept_ ABSL_GUARDED_BY(mutex_);  // By org URL.
  // By address and trust.
  std::map<std::pair<std::string, std::string>, Server> servers_ ABSL_GUARDED_BY(mutex_);
  // The issuers of the last answer: a process full of virtual computers gets the same ones
  // thousands of times.
  std::vector<std::string> issuers_der_ ABSL_GUARDED_BY(mutex_);
  std::vector<pki::Certificate> issuers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::agent
