#include "ca-service/issuer_admin_service.h"

#include <utility>
#include <vector>

#include "ca-service/authority.h"
#include "libs/base/random_id.h"
#include "libs/pki/pkcs11_uri.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::ca {
namespace {

constexpr std::size_t kEventIdOctets = 16;
constexpr std::size_t kRootCrlBytesMax = 256 * 1024;

absl::Status CheckKeyUri(const std::string& uri) {
  if (uri.empty()) return absl::OkStatus();
  const auto parsed = pki::ParsePkcs11Uri(uri);
  if (parsed.ok()) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::string(parsed.status().message()), "key_uri");
}

google::protobuf::Timestamp UsableFrom(const Clock& clock) {
  return rpc::ToTimestamp(clock.Now() + kPublishedFor);
}

void Describe(const IssuerReport& report, v1::IssuerRecord& record) {
  const auto set = [](std::int64_t at, google::protobuf::Timestamp* time) {
    time->set_seconds(at);
  };
  record.set_id(report.issuer->id());
  record.set_state(report.is_active ? v1::ISSUER_STATE_ACTIVE : v1::ISSUER_STATE_ACCEPTED);
  record.set_root_id(report.issuer->root_id());
  *record.mutable_not_after() = rpc::ToTimestamp(report.issuer->certificate().not_after());
  record.set_key_uri(report.key_uri);
  set(report.published_at, record.mutable_published_at());
  set(report.usable_from, record.mutable_usable_from());
  if (report.activated_at != 0) set(report.activated_at, record.mutable_activated_at());
  if (report.last_expiry != 0) set(report.last_expiry, record.mutable_last_certificate_ends_at());
}

}  // namespace

absl::StatusOr<Issuers::Beside> IssuerEventBeside(db::Outbox& outbox, const Clock& clock,
                                                  Random& random, const char* type,
                                                  std::string requested_by, bool forced) {
  DT_ASSIGN_OR_RETURN(const std::string random_id, NewRandomHex(kEventIdOctets, random));
  return [&outbox, change = IssuerChange{"issuer-" + random_id, type, {}, requested_by, forced},
          now = clock.Now()](db::Transaction& txn, const std::string& id) {
    IssuerChange of_one = change;
    of_one.id = id;
    of_one.event_id += id;  // One call may be about several issuers, one after the other.
    return outbox.Append(txn, of_one.event_id, IssuerEvent(of_one, now));
  };
}

absl::StatusOr<Issuers::Beside> IssuerAdminService::EventOf(const grpc::ServerContext* context,
                                                            const char* type, bool forced) {
  DT_ASSIGN_OR_RETURN(const rpc::Caller caller, rpc::CallerOf(*context));
  return IssuerEventBeside(outbox_, clock_, random_, type, caller.ToString(), forced);
}

grpc::Status IssuerAdminService::ListIssuers(grpc::ServerContext* /*context*/,
                                             const v1::ListIssuersRequest* /*request*/,
                                             v1::ListIssuersResponse* response) {
  const auto report = issuers_.Report();
  if (!report.ok()) return rpc::ToGrpc(rpc::StoreError(report.status()));
  for (const IssuerReport& issuer : report->issuers) Describe(issuer, *response->add_issuers());
  for (const RootReport& root : report->roots) {
    v1::RootRecord& record = *response->add_roots();
    record.set_id(AuthorityId(root.certificate));
    *record.mutable_not_after() = rpc::ToTimestamp(root.certificate.not_after());
    record.set_key_is_here(root.key_is_here);
    if (root.list_ends_at != 0) record.mutable_crl_ends_at()->set_seconds(root.list_ends_at);
  }
  for (const StoredIssuerRequest& request : report->requests) {
    v1::IssuerRequestRecord& record = *response->add_requests();
    record.set_key_thumbprint(request.key_thumbprint);
    record.set_key_uri(request.key_uri);
    record.mutable_requested_at()->set_seconds(request.requested_at);
  }
  return grpc::Status::OK;
}

grpc::Status IssuerAdminService::AddIssuer(grpc::ServerContext* context,
                                           const v1::AddIssuerRequest* request,
                                           v1::AddIssuerResponse* response) {
  if (const absl::Status good = CheckKeyUri(request->key_uri()); !good.ok()) {
    return rpc::ToGrpc(good);
  }
  const auto event = EventOf(context, kIssuerAddEvent);
  if (!event.ok()) return rpc::ToGrpc(event.status());
  const auto id = issuers_.Add(request->key_uri(), *event);
  if (!id.ok()) return rpc::ToGrpc(id.status());
  response->set_id(*id);
  *response->mutable_usable_from() = UsableFrom(clock_);
  return grpc::Status::OK;
}

grpc::Status IssuerAdminService::RequestIssuer(grpc::ServerContext* context,
                                               const v1::RequestIssuerRequest* request,
                                               v1::RequestIssuerResponse* response) {
  if (const absl::Status good = CheckKeyUri(request->key_uri()); !good.ok()) {
    return rpc::ToGrpc(good);
  }
  const auto event = EventOf(context, kIssuerRequestEvent);
  if (!event.ok()) return rpc::ToGrpc(event.status());
  const auto csr = issuers_.Request(request->key_uri(), *event);
  if (!csr.ok()) return rpc::ToGrpc(csr.status());
  response->set_csr_der(ToString(*csr));
  return grpc::Status::OK;
}

grpc::Status IssuerAdminService::InstallIssuer(grpc::ServerContext* context,
                                               const v1::InstallIssuerRequest* request,
                                               v1::InstallIssuerResponse* response) {
  std::vector<pki::Certificate> chain;
  for (const std::string& der : request->chain_der()) {
    auto certificate = pki::Certificate::FromDer(AsBytes(der));
    if (!certificate.ok()) {
      return rpc::ToGrpc(rpc::MakeError(absl::StatusCode::kInvalidArgument,
                                        reason::v1::REASON_MALFORMED_REQUEST,
                                        std::string(certificate.status().message()), "chain_der"));
    }
    chain.push_back(*std::move(certificate));
  }
  const auto event = EventOf(context, kIssuerInstallEvent);
  if (!event.ok()) return rpc::ToGrpc(event.status());
  const auto id = issuers_.Install(chain, *event);
  if (!id.ok()) return rpc::ToGrpc(id.status());
  response->set_id(*id);
  *response->mutable_usable_from() = UsableFrom(clock_);
  return grpc::Status::OK;
}

grpc::Status IssuerAdminService::ActivateIssuer(grpc::ServerContext* context,
                                                const v1::ActivateIssuerRequest* request,
                                                v1::ActivateIssuerResponse* /*response*/) {
  const auto event = EventOf(context, kIssuerActivateEvent, request->force());
  if (!event.ok()) return rpc::ToGrpc(event.status());
  return rpc::ToGrpc(issuers_.Activate(request->id(), request->force(), *event));
}

grpc::Status IssuerAdminService::RetireIssuer(grpc::ServerContext* context,
                                              const v1::RetireIssuerRequest* request,
                                              v1::RetireIssuerResponse* /*response*/) {
  const auto event = EventOf(context, kIssuerRetireEvent, request->force());
  if (!event.ok()) return rpc::ToGrpc(event.status());
  return rpc::ToGrpc(issuers_.Retire(request->id(), request->force(), *event));
}

grpc::Status IssuerAdminService::InstallRootCrl(grpc::ServerContext* context,
                                                const v1::InstallRootCrlRequest* request,
                                                v1::InstallRootCrlResponse* response) {
  if (request->crl_der().size() > kRootCrlBytesMax) {
    return rpc::ToGrpc(rpc::MakeError(absl::StatusCode::kInvalidArgument,
                                      reason::v1::REASON_REQUEST_TOO_LARGE,
                                      "a root's list has 256 KiB at most", "crl_der"));
  }
  const auto event = EventOf(context, kRootCrlInstallEvent);
  if (!event.ok()) return rpc::ToGrpc(event.status());
  const auto taken_back = issuers_.InstallRootCrl(AsBytes(request->crl_der()), *event);
  if (!taken_back.ok()) return rpc::ToGrpc(taken_back.status());
  for (const std::string& id : *taken_back) response->add_taken_back_ids(id);
  return grpc::Status::OK;
}

}  // namespace devicetrust::ca
