// The calls about the policy as a whole and its versions, and those about second factors.
#include <algorithm>

#include "libs/admin/admin_stubs.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

absl::StatusOr<v1::OrgSettings> AdminClient::SetDisplayName(const std::string& name) {
  v1::SetDisplayNameRequest request;
  request.set_display_name(name);
  DT_ASSIGN_OR_RETURN(
      const v1::SetDisplayNameResponse answer,
      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetDisplayName, request));
  return answer.settings();
}

absl::StatusOr<v1::OrgSettings> AdminClient::SetSessionLimits(
    const v1::SetSessionLimitsRequest& request) {
  DT_ASSIGN_OR_RETURN(
      const v1::SetSessionLimitsResponse answer,
      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetSessionLimits, request));
  return answer.settings();
}

absl::StatusOr<v1::OrgSettings> AdminClient::SetFactorSelfEnrollment(bool enabled) {
  v1::SetFactorSelfEnrollmentRequest request;
  request.set_enabled(enabled);
  DT_ASSIGN_OR_RETURN(
      const v1::SetFactorSelfEnrollmentResponse answer,
      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetFactorSelfEnrollment, request));
  return answer.settings();
}

absl::StatusOr<v1::OrgSettings> AdminClient::SetIwaFailover(bool primary_only) {
  v1::SetIwaFailoverRequest request;
  request.set_primary_only(primary_only);
  DT_ASSIGN_OR_RETURN(
      const v1::SetIwaFailoverResponse answer,
      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetIwaFailover, request));
  return answer.settings();
}

absl::StatusOr<v1::ListSessionsResponse> AdminClient::ListSessions(const std::string& user_id) {
  v1::ListSessionsRequest request;
  request.set_user_id(user_id);
  return stubs_->Org(stubs_->sessions, &v1::SessionService::Stub::ListSessions, request);
}

absl::StatusOr<v1::EndSessionsResponse> AdminClient::EndSessions(
    const v1::EndSessionsRequest& request) {
  return stubs_->Org(stubs_->sessions, &v1::SessionService::Stub::EndSessions, request);
}

absl::StatusOr<v1::OrgSettings> AdminClient::SetDefaultNameIdFormat(const std::string& format) {
  v1::SetDefaultNameIdFormatRequest request;
  request.set_format(format);
  DT_ASSIGN_OR_RETURN(
      const v1::SetDefaultNameIdFormatResponse answer,
      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetDefaultNameIdFormat, request));
  return answer.settings();
}

absl::StatusOr<v1::ListSamlKeysResponse> AdminClient::ListSamlKeys() {
  return stubs_->Org(stubs_->saml_keys, &v1::SamlKeyService::Stub::ListSamlKeys,
                     v1::ListSamlKeysRequest());
}

absl::StatusOr<v1::RotateSamlKeyResponse> AdminClient::RotateSamlKey(
    const v1::RotateSamlKeyRequest& request) {
  return stubs_->Org(stubs_->saml_keys, &v1::SamlKeyService::Stub::RotateSamlKey, request);
}

absl::StatusOr<v1::ActivateSamlKeyResponse> AdminClient::ActivateSamlKey(const std::string& kid) {
  v1::ActivateSamlKeyRequest request;
  request.set_kid(kid);
  return stubs_->Org(stubs_->saml_keys, &v1::SamlKeyService::Stub::ActivateSamlKey, request);
}

absl::Status AdminClient::RetireSamlKey(const std::string& kid) {
  v1::RetireSamlKeyRequest request;
  request.set_kid(kid);
  return stubs_->Org(stubs_->saml_keys, &v1::SamlKeyService::Stub::RetireSamlKey, request).status();
}

absl::StatusOr<std::vector<v1::ObjectVersion>> AdminClient::ListVersions(
    const std::optional<v1::ObjectName>& object, int count) {
  v1::ListVersionsRequest request;
  if (object) *request.mutable_object() = *object;
  std::vector<v1::ObjectVersion> versions;
  while (static_cast<int>(versions.size()) < count) {
    request.set_page_size(std::min(kPageSizeMax, count - static_cast<int>(versions.size())));
    DT_ASSIGN_OR_RETURN(
        const v1::ListVersionsResponse page,
        stubs_->Org(stubs_->history, &v1::HistoryService::Stub::ListVersions, request));
    versions.insert(versions.end(), page.versions().begin(), page.versions().end());
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  return versions;
}

absl::StatusOr<v1::GetVersionResponse> AdminClient::GetVersion(const v1::ObjectName& object,
                                                               std::int64_t number) {
  v1::GetVersionRequest request;
  *request.mutable_object() = object;
  request.set_number(number);
  return stubs_->Org(stubs_->history, &v1::HistoryService::Stub::GetVersion, request);
}

absl::StatusOr<v1::RollbackResponse> AdminClient::Rollback(const v1::RollbackRequest& request) {
  return stubs_->Org(stubs_->history, &v1::HistoryService::Stub::Rollback, request);
}

absl::StatusOr<v1::ExportPolicyResponse> AdminClient::ExportPolicy() {
  return stubs_->Org(stubs_->documents, &v1::PolicyDocumentService::Stub::ExportPolicy,
                     v1::ExportPolicyRequest());
}

absl::StatusOr<v1::ApplyPolicyResponse> AdminClient::ApplyPolicy(
    const v1::ApplyPolicyRequest& request) {
  return stubs_->Org(stubs_->documents, &v1::PolicyDocumentService::Stub::ApplyPolicy, request);
}

absl::StatusOr<v1::MakeRecoveryCodesResponse> AdminClient::MakeRecoveryCodes(
    const std::string& user_id) {
  v1::MakeRecoveryCodesRequest request;
  request.set_user_id(user_id);
  return stubs_->Org(stubs_->factors, &v1::FactorService::Stub::MakeRecoveryCodes, request);
}

absl::StatusOr<v1::GetFactorStatusResponse> AdminClient::GetFactorStatus(
    const std::string& user_id) {
  v1::GetFactorStatusRequest request;
  request.set_user_id(user_id);
  return stubs_->Org(stubs_->factors, &v1::FactorService::Stub::GetFactorStatus, request);
}

}  // namespace devicetrust::admin
