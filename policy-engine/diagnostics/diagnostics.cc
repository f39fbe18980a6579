#include "policy-engine/diagnostics/diagnostics.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libs/rpc/error.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kCertificatesMax = 100;
constexpr int kEventsMax = 50;
constexpr int kPagesMax = 5;  // Of a search: some tenths of a second.

// A rule that is in force and keeps out who is not trusted, whatever else it wants.
bool DeniesUntrusted(const Rule& rule) {
  return rule.active && !rule.actions.allow && rule.trust != TrustCondition::kTrusted;
}

bool NobodyHasIt(const absl::Status& status) {
  return rpc::ReasonOf(status) == reason::v1::REASON_USER_UNKNOWN;
}

}  // namespace

absl::StatusOr<v1::DiagnoseResponse> Diagnostics::Diagnose(const v1::DiagnoseRequest& request) {
  Evidence evidence;
  evidence.now = parts_.clock.Now();
  evidence.settings = parts_.store.state()->settings;
  const v1::GetPeopleSyncResponse people = parts_.people();
  for (const v1::PeopleSyncStatus& domain : people.domains()) {
    evidence.people.push_back(domain);
  }
  DT_ASSIGN_OR_RETURN(const v1::ListIwasResponse iwas, parts_.iwas.List());
  evidence.iwas.assign(iwas.iwas().begin(), iwas.iwas().end());
  DT_RETURN_IF_ERROR(FindSubject(request, evidence));
  FindApps(evidence);
  DT_ASSIGN_OR_RETURN(evidence.events, FindEvents(evidence));

  v1::DiagnoseResponse response;
  for (v1::Check& check : Judge(evidence)) {
    if (check.state() == v1::CHECK_STATE_FAILED && response.first_failed().empty()) {
      response.set_first_failed(check.id());
      response.set_remedy(check.remedy());
    }
    *response.add_checks() = std::move(check);
  }
  if (evidence.decision && response.remedy().empty()) {
    response.set_remedy(evidence.decision->remedy());
  }
  if (evidence.user) *response.mutable_user() = *std::move(evidence.user);
  response.set_device_id(evidence.device_id);
  if (evidence.decision) *response.mutable_decision() = *std::move(evidence.decision);
  if (evidence.certificates.ok()) {
    for (const ca::v1::CertificateRecord& record : *evidence.certificates) {
      v1::DiagnosedCertificate& certificate = *response.add_certificates();
      certificate.set_serial(record.serial());
      certificate.set_device_id(record.device_id());
      *certificate.mutable_issued_at() = record.issued_at();
      *certificate.mutable_not_after() = record.not_after();
      if (record.has_revoked_at()) *certificate.mutable_revoked_at() = record.revoked_at();
    }
  }
  for (v1::Event& event : evidence.events) *response.add_events() = std::move(event);
  return response;
}

absl::Status Diagnostics::FindSubject(const v1::DiagnoseRequest& request, Evidence& evidence) {
  switch (request.subject_case()) {
    case v1::DiagnoseRequest::kCode: {
      v1::ExplainDecisionRequest explain;
      explain.set_code(request.code());
      DT_ASSIGN_OR_RETURN(v1::ExplainDecisionResponse explained, parts_.history.Explain(explain));
      evidence.decision = std::move(*explained.mutable_decision());
      evidence.asked_user = evidence.decision->user().id();
      evidence.device_id = evidence.decision->device_id();
      break;
    }
    case v1::DiagnoseRequest::kUser:
      evidence.asked_user = request.user();
      break;
    case v1::DiagnoseRequest::kDevice:
      evidence.device_id = request.device();
      break;
    case v1::DiagnoseRequest::SUBJECT_NOT_SET:
      break;
  }
  if (evidence.asked_user.empty() && evidence.device_id.empty()) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "a diagnosis is of a code, a user or a device; none is named", "subject");
  }
  if (!evidence.asked_user.empty()) DT_RETURN_IF_ERROR(FindUser(evidence));
  DT_RETURN_IF_ERROR(FindCertificates(evidence));
  if (!evidence.asked_user.empty() || !evidence.certificates.ok() ||
      evidence.certificates->empty()) {
    return absl::OkStatus();
  }
  evidence.asked_user = evidence.certificates->front().user_id();  // Of the device.
  return FindUser(evidence);
}

absl::Status Diagnostics::FindUser(Evidence& evidence) {
  auto found = parts_.database.Read(
      [&](db::Transaction& txn) { return FindUserNamed(txn, evidence.asked_user); });
  if (!found.ok()) return NobodyHasIt(found.status()) ? absl::OkStatus() : found.status();
  evidence.user = std::move(found->user);
  return absl::OkStatus();
}

// Of the device that is named, else of the user; none of a user whom nobody knows.
absl::Status Diagnostics::FindCertificates(Evidence& evidence) {
  evidence.certificates = std::vector<ca::v1::CertificateRecord>();
  ca::v1::ListCertificatesRequest request;
  if (evidence.user) request.set_user_id(evidence.user->id());
  request.set_device_id(evidence.device_id);
  request.set_page_size(kCertificatesMax);
  if (request.user_id().empty() && request.device_id().empty()) return absl::OkStatus();
  const auto listed = parts_.ca.ListCertificates(request);
  if (!listed.ok()) {
    evidence.certificates = listed.status();
    return absl::OkStatus();
  }
  evidence.certificates->assign(listed->certificates().begin(), listed->certificates().end());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Event>> Diagnostics::FindEvents(const Evidence& evidence) {
  v1::EventFilter filter;
  for (const char* type : {"user.credential.enroll", "user.authentication.authenticate",
                           "pki.cert.issue", "pki.cert.renew", "pki.cert.revoke"}) {
    filter.add_types(type);
  }
  if (!evidence.device_id.empty()) {
    filter.set_device_id(evidence.device_id);
  } else {
    filter.set_user_id(evidence.user ? evidence.user->id() : evidence.asked_user);
  }
  std::vector<v1::Event> events;
  std::int64_t before = 0;
  for (int page = 0; page < kPagesMax; ++page) {
    const int room = kEventsMax - static_cast<int>(events.size());
    DT_ASSIGN_OR_RETURN(SystemLog::Page found, parts_.log.Search(filter, before, room));
    std::ranges::move(found.events, std::back_inserter(events));
    before = found.next_before;
    if (before == 0 || static_cast<int>(events.size()) >= kEventsMax) break;
  }
  return events;
}

void Diagnostics::FindApps(Evidence& evidence) const {
  const auto state = parts_.store.state();
  for (const auto& [id, app] : state->apps) {
    if (evidence.decision && evidence.decision->app_id() != id) continue;
    AppTrust& trust = evidence.apps.emplace_back();
    trust.label = app.app.label();
    trust.uses_trust = app.policy->uses_trust();
    trust.denies_untrusted = std::ranges::any_of(app.policy->rules(), DeniesUntrusted);
  }
}

}  // namespace devicetrust::policy
