#include "agent/network_services.h"

#include <fmt/format.h>

#include "agent/org_fetch.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/iwa/v1/iwa.grpc.pb.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {
namespace {

Bytes ToBytes(const std::string& data) { return {data.begin(), data.end()}; }

}  // namespace

NetworkServices::NetworkServices(NetworkConfig config, const Clock& clock)
    : config_(std::move(config)), clock_(clock) {}
NetworkServices::~NetworkServices() = default;

absl::StatusOr<std::shared_ptr<const Discovery>> NetworkServices::Discover(
    const std::string& org_url) {
  {
    const MutexLock lock(mutex_);
    const auto kept = kept_.find(org_url);
    if (kept != kept_.end() && std::chrono::steady_clock::now() < kept->second.until) {
      return kept->second.discovery;
    }
  }
  absl::StatusOr<Discovery> fetched =
      FetchDiscovery(org_url, config_.org_trust_pem, clock_, config_.http_proxy);
  if (absl::IsPermissionDenied(fetched.status()) && !config_.proxy_note.empty()) {
    return absl::PermissionDeniedError(
        fmt::format("{}; {}", std::string(fetched.status().message()), config_.proxy_note));
  }
  if (!fetched.ok()) return fetched.status();
  auto discovery = std::make_shared<const Discovery>(*std::move(fetched));
  if (config_.discovery_kept.count() > 0) {
    const MutexLock lock(mutex_);
    kept_[org_url] = {discovery, std::chrono::steady_clock::now() + config_.discovery_kept};
  }
  return discovery;
}

std::shared_ptr<grpc::Channel> NetworkServices::ChannelTo(const std::string& address,
                                                          const std::string& trust_pem) {
  const MutexLock lock(mutex_);
  Server& server = servers_[{address, trust_pem}];
  if (server.channels.size() < config_.channels_per_server) {
    rpc::ChannelConfig channel;
    channel.address = address;
    channel.trust_pem = trust_pem;
    channel.http_proxy = config_.http_proxy;
    server.channels.push_back(rpc::NewChannel(channel));
    return server.channels.back();
  }
  return server.channels[server.next++ % server.channels.size()];
}

absl::StatusOr<TokenAnswer> NetworkServices::IssueDeviceToken(const Discovery& discovery,
                                                              const IwaEntry& iwa,
                                                              const Bytes& spnego,
                                                              const std::string& key_thumbprint) {
  iwa::v1::DomainProofService::Stub stub(ChannelTo(iwa.address, discovery.ca_bundle));
  iwa::v1::IssueDeviceTokenRequest request;
  request.set_spnego_token(ToString(spnego));
  request.set_key_thumbprint(key_thumbprint);
  DT_ASSIGN_OR_RETURN(const iwa::v1::IssueDeviceTokenResponse response,
                      rpc::Call(stub, &iwa::v1::DomainProofService::Stub::IssueDeviceToken, request,
                                config_.call_timeout));
  return TokenAnswer{response.device_token(), ToBytes(response.spnego_token())};
}

absl::StatusOr<TokenAnswer> NetworkServices::IssueUserToken(const Discovery& discovery,
                                                            const IwaEntry& iwa,
                                                            const Bytes& spnego,
                                                            const std::string& key_thumbprint,
                                                            const std::string& device_token) {
  iwa::v1::DomainProofService::Stub stub(ChannelTo(iwa.address, discovery.ca_bundle));
  iwa::v1::IssueUserTokenRequest request;
  request.set_spnego_token(ToString(spnego));
  request.set_key_thumbprint(key_thumbprint);
  request.set_device_token(device_token);
  DT_ASSIGN_OR_RETURN(const iwa::v1::IssueUserTokenResponse response,
                      rpc::Call(stub, &iwa::v1::DomainProofService::Stub::IssueUserToken, request,
                                config_.call_timeout));
  return TokenAnswer{response.user_token(), ToBytes(response.spnego_token())};
}

absl::StatusOr<CertificateAnswer> NetworkServices::Enroll(const Discovery& discovery,
                                                          const std::string& user_token,
                                                          const Bytes& csr_der,
                                                          const Renewed& renewed) {
  ca::v1::EnrollmentService::Stub stub(ChannelTo(discovery.ca_address, discovery.ca_bundle));
  ca::v1::EnrollRequest request;
  request.set_user_token(user_token);
  request.set_csr_der(ToString(csr_der));
  request.set_renews(renewed.serial);
  request.set_forced(renewed.forced);
  DT_ASSIGN_OR_RETURN(
      const ca::v1::EnrollResponse response,
      rpc::Call(stub, &ca::v1::EnrollmentService::Stub::Enroll, request, config_.call_timeout));
  CertificateAnswer answer;
  answer.certificate_der = ToBytes(response.certificate_der());
  auto issuers = ParseIssuers({response.chain_der().begin(), response.chain_der().end()});
  if (!issuers.ok()) {
    return rpc::MakeError(
        absl::StatusCode::kInternal, reason::v1::REASON_INTERNAL_ERROR,
        fmt::format("The CA's answer is unusable: {}", std::string(issuers.status().message())),
        discovery.ca_address, "Look into the log of dt-ca.");
  }
  answer.issuers = *std::move(issuers);
  if (response.has_renew_from() && response.has_renew_until()) {
    answer.renewal = {AtUnixSeconds(response.renew_from().seconds()),
                      AtUnixSeconds(response.renew_until().seconds())};
  }
  return answer;
}

absl::StatusOr<std::vector<pki::Certificate>> NetworkServices::ParseIssuers(
    std::vector<std::string> der) {
  {
    const MutexLock lock(mutex_);
    if (der == issuers_der_) return issuers_;
  }
  std::vector<pki::Certificate> issuers;
  for (const std::string& one : der) {
    DT_ASSIGN_OR_RETURN(pki::Certificate issuer, pki::Certificate::FromDer(AsBytes(one)));
    issuers.push_back(std::move(issuer));
  }
  const MutexLock lock(mutex_);
  issuers_der_ = std::move(der);
  issuers_ = issuers;
  return issuers;
}

}  // namespace devicetrust::agent
