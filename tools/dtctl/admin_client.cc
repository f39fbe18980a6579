#include "tools/dtctl/admin_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/decisions.grpc.pb.h"
#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "devicetrust/org/v1/users.grpc.pb.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"

namespace devicetrust::ctl {
namespace {

constexpr std::chrono::seconds kTimeout{5};
constexpr int kPageSizeMax = 1000;

// Null without an address: gRPC would take an empty one and complain in its log.
std::shared_ptr<grpc::Channel> Connect(const Endpoint& endpoint) {
  if (endpoint.address.empty()) return nullptr;
  return rpc::NewChannel({.address = endpoint.address,
                          .server_name = endpoint.server_name,
                          .trust_pem = endpoint.trust_pem,
                          .identity = rpc::Identity{.certificate_pem = endpoint.certificate_pem,
                                                    .key_pem = endpoint.key_pem}});
}

template <typename Service>
std::unique_ptr<typename Service::Stub> StubOf(const std::shared_ptr<grpc::Channel>& channel) {
  return channel == nullptr ? nullptr : Service::NewStub(channel);
}

absl::Status NoAddress(std::string_view server, std::string_view flag) {
  return absl::InvalidArgumentError(
      fmt::format("the address of the {} is missing; give {} or --endpoints FILE", server, flag));
}

// Says which server does not answer; the other errors speak for themselves.
absl::Status Explained(const absl::Status& status, std::string_view server,
                       const Endpoint& endpoint) {
  const bool silent = status.code() == absl::StatusCode::kUnavailable ||
                      status.code() == absl::StatusCode::kDeadlineExceeded;
  if (!silent || rpc::DetailOf(status).has_value()) return status;
  return rpc::MakeError(
      absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
      fmt::format("the {} does not answer at {} ({})", server, endpoint.address,
                  std::string(status.message())),
      endpoint.address,
      "Is it running? Are address, --deployment-ca and your certificate those of this deployment?");
}

}  // namespace

struct AdminClient::Stubs {
  explicit Stubs(const Endpoints& all)
      : endpoints(all),
        org_channel(Connect(all.org)),
        ca_channel(Connect(all.ca)),
        settings(StubOf<org::v1::SettingsService>(org_channel)),
        users(StubOf<org::v1::UserService>(org_channel)),
        decisions(StubOf<org::v1::DecisionService>(org_channel)),
        log(StubOf<org::v1::SystemLogService>(org_channel)),
        ca(StubOf<ca::v1::CertificateAdminService>(ca_channel)) {}

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Org(const std::unique_ptr<Stub>& stub,
                               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               const Request& request) const {
    if (stub == nullptr) return NoAddress("org", "--org-address");
    auto answer = rpc::Call(*stub, method, request, kTimeout);
    if (!answer.ok()) return Explained(answer.status(), "org", endpoints.org);
    return answer;
  }

  template <typename Request, typename Response>
  absl::StatusOr<Response> Ca(grpc::Status (ca::v1::CertificateAdminService::Stub::*method)(
                                  grpc::ClientContext*, const Request&, Response*),
                              const Request& request) const {
    if (ca == nullptr) return NoAddress("CA", "--ca-address");
    auto answer = rpc::Call(*ca, method, request, kTimeout);
    if (!answer.ok()) return Explained(answer.status(), "CA", endpoints.ca);
    return answer;
  }

  Endpoints endpoints;
  std::shared_ptr<grpc::Channel> org_channel;  // Null, as its stubs: no address.
  std::shared_ptr<grpc::Channel> ca_channel;
  std::unique_ptr<org::v1::SettingsService::Stub> settings;
  std::unique_ptr<org::v1::UserService::Stub> users;
  std::unique_ptr<org::v1::DecisionService::Stub> decisions;
  std::unique_ptr<org::v1::SystemLogService::Stub> log;
  std::unique_ptr<ca::v1::CertificateAdminService::Stub> ca;
};

AdminClient::AdminClient(const Endpoints& endpoints)
    : stubs_(std::make_unique<Stubs>(endpoints)),
      admin_name_(AdminName(endpoints.org.certificate_pem)) {}

AdminClient::~AdminClient() = default;

absl::StatusOr<org::v1::OrgSettings> AdminClient::GetSettings() {
  DT_ASSIGN_OR_RETURN(org::v1::GetSettingsResponse answer,
                      stubs_->Org(stubs_->settings, &org::v1::SettingsService::Stub::GetSettings,
                                  org::v1::GetSettingsRequest()));
  return std::move(*answer.mutable_settings());
}

absl::StatusOr<org::v1::SetDeviceTrustResponse> AdminClient::SetDeviceTrust(
    const org::v1::SetDeviceTrustRequest& request) {
  return stubs_->Org(stubs_->settings, &org::v1::SettingsService::Stub::SetDeviceTrust, request);
}

absl::StatusOr<org::v1::User> AdminClient::GetUser(const std::string& name) {
  org::v1::GetUserRequest request;
  if (name.starts_with("S-1-")) {
    request.set_sid(name);
  } else if (name.find('@') != std::string::npos) {
    request.set_principal(name);
  } else {
    request.set_id(name);
  }
  DT_ASSIGN_OR_RETURN(org::v1::GetUserResponse answer,
                      stubs_->Org(stubs_->users, &org::v1::UserService::Stub::GetUser, request));
  return std::move(*answer.mutable_user());
}

absl::StatusOr<org::v1::Decision> AdminClient::Explain(const std::string& code) {
  org::v1::ExplainDecisionRequest request;
  request.set_code(code);
  DT_ASSIGN_OR_RETURN(
      org::v1::ExplainDecisionResponse answer,
      stubs_->Org(stubs_->decisions, &org::v1::DecisionService::Stub::ExplainDecision, request));
  return std::move(*answer.mutable_decision());
}

absl::StatusOr<std::vector<org::v1::Event>> AdminClient::Search(const org::v1::EventFilter& filter,
                                                                int count) {
  org::v1::SearchEventsRequest request;
  *request.mutable_filter() = filter;
  std::vector<org::v1::Event> events;
  while (static_cast<int>(events.size()) < count) {
    request.set_page_size(std::min(kPageSizeMax, count - static_cast<int>(events.size())));
    DT_ASSIGN_OR_RETURN(
        const org::v1::SearchEventsResponse answer,
        stubs_->Org(stubs_->log, &org::v1::SystemLogService::Stub::SearchEvents, request));
    events.insert(events.end(), answer.events().begin(), answer.events().end());
    if (answer.next_page_token().empty()) break;
    request.set_page_token(answer.next_page_token());
  }
  std::reverse(events.begin(), events.end());
  return events;
}

absl::Status AdminClient::Tail(const org::v1::EventFilter& filter, std::int64_t& after_sequence,
                               const std::function<bool(const org::v1::Event&)>& seen) {
  if (stubs_->log == nullptr) return NoAddress("org", "--org-address");
  grpc::ClientContext context;  // No deadline: it lasts until somebody has enough.
  org::v1::TailEventsRequest request;
  *request.mutable_filter() = filter;
  request.set_after_sequence(after_sequence);
  const auto reader = stubs_->log->TailEvents(&context, request);
  org::v1::TailEventsResponse part;
  while (reader->Read(&part)) {
    for (const org::v1::Event& event : part.events()) {
      if (seen(event)) continue;
      context.TryCancel();
      static_cast<void>(reader->Finish());
      return absl::OkStatus();
    }
    after_sequence = std::max(after_sequence, part.sequence());
  }
  const absl::Status ended = rpc::FromGrpc(reader->Finish());
  if (ended.ok()) return ended;
  return Explained(ended, "org", stubs_->endpoints.org);
}

void AdminClient::WaitForOrg(int seconds) {
  gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(seconds, GPR_TIMESPAN));
  stubs_->org_channel->WaitForConnected(deadline);
}

absl::StatusOr<std::vector<ca::v1::CertificateRecord>> AdminClient::ListCertificates(
    const ca::v1::ListCertificatesRequest& filter) {
  ca::v1::ListCertificatesRequest request = filter;
  request.set_page_size(kPageSizeMax);
  std::vector<ca::v1::CertificateRecord> certificates;
  do {
    DT_ASSIGN_OR_RETURN(
        const ca::v1::ListCertificatesResponse answer,
        stubs_->Ca(&ca::v1::CertificateAdminService::Stub::ListCertificates, request));
    certificates.insert(certificates.end(), answer.certificates().begin(),
                        answer.certificates().end());
    request.set_page_token(answer.next_page_token());
  } while (!request.page_token().empty());
  return certificates;
}

absl::StatusOr<ca::v1::RevokeForUserResponse> AdminClient::RevokeForUser(
    const ca::v1::RevokeForUserRequest& request) {
  return stubs_->Ca(&ca::v1::CertificateAdminService::Stub::RevokeForUser, request);
}

absl::StatusOr<ca::v1::RevokeCertificateResponse> AdminClient::RevokeCertificate(
    const ca::v1::RevokeCertificateRequest& request) {
  return stubs_->Ca(&ca::v1::CertificateAdminService::Stub::RevokeCertificate, request);
}

}  // namespace devicetrust::ctl
