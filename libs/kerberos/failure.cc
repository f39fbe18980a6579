#include "libs/kerberos/failure.h"

#include <fmt/format.h>

#include <string>

#include "libs/kerberos/handles.h"

namespace devicetrust::kerberos {
namespace {

constexpr const char* kPayloadUrl = "devicetrust.kerberos.failure";

struct FailureFacts {
  std::string_view name;
  absl::StatusCode code;
  reason::v1::Reason of_user;
  reason::v1::Reason of_computer;
};

FailureFacts FactsOf(Failure failure) {
  using namespace reason::v1;
  switch (failure) {
    case Failure::kNone:
      return {"NONE", absl::StatusCode::kInternal, REASON_INTERNAL_ERROR, REASON_INTERNAL_ERROR};
    case Failure::kClockSkew:
      return {"CLOCK_SKEW", absl::StatusCode::kFailedPrecondition, REASON_CLOCK_SKEW,
              REASON_CLOCK_SKEW};
    case Failure::kTicketExpired:
      return {"TICKET_EXPIRED", absl::StatusCode::kUnauthenticated, REASON_TICKET_EXPIRED,
              REASON_TICKET_EXPIRED};
    case Failure::kTicketInvalid:
      return {"TICKET_INVALID", absl::StatusCode::kUnauthenticated, REASON_TICKET_INVALID,
              REASON_TICKET_INVALID};
    case Failure::kReplayed:
      return {"REPLAYED", absl::StatusCode::kUnauthenticated, REASON_TICKET_REPLAYED,
              REASON_TICKET_REPLAYED};
    case Failure::kNotBound:
      return {"NOT_BOUND", absl::StatusCode::kUnauthenticated, REASON_TICKET_NOT_BOUND,
              REASON_TICKET_NOT_BOUND};
    case Failure::kWrongPassword:
      return {"WRONG_PASSWORD", absl::StatusCode::kUnauthenticated, REASON_PASSWORD_WRONG,
              REASON_NOT_DOMAIN_JOINED};
    case Failure::kAccountRevoked:
      return {"ACCOUNT_REVOKED", absl::StatusCode::kPermissionDenied, REASON_USER_DISABLED,
              REASON_COMPUTER_DISABLED};
    case Failure::kAccountExpired:
      return {"ACCOUNT_EXPIRED", absl::StatusCode::kPermissionDenied, REASON_ACCOUNT_EXPIRED,
              REASON_ACCOUNT_EXPIRED};
    case Failure::kNotPermitted:
      return {"NOT_PERMITTED", absl::StatusCode::kPermissionDenied, REASON_LOGON_NOT_PERMITTED,
              REASON_LOGON_NOT_PERMITTED};
    case Failure::kPasswordExpired:
      return {"PASSWORD_EXPIRED", absl::StatusCode::kPermissionDenied, REASON_PASSWORD_EXPIRED,
              REASON_PASSWORD_EXPIRED};
    case Failure::kUnknownAccount:
      return {"UNKNOWN_ACCOUNT", absl::StatusCode::kNotFound, REASON_USER_NOT_IN_DOMAIN,
              REASON_NOT_DOMAIN_JOINED};
    case Failure::kUnknownService:
      return {"UNKNOWN_SERVICE", absl::StatusCode::kNotFound, REASON_TICKET_INVALID,
              REASON_TICKET_INVALID};
    case Failure::kUntrustedRealm:
      return {"UNTRUSTED_REALM", absl::StatusCode::kPermissionDenied, REASON_UNTRUSTED_FOREST,
              REASON_UNTRUSTED_FOREST};
    case Failure::kUnreachable:
      return {"UNREACHABLE", absl::StatusCode::kUnavailable, REASON_DOMAIN_CONTROLLER_UNREACHABLE,
              REASON_DOMAIN_CONTROLLER_UNREACHABLE};
    case Failure::kMalformed:
      return {"MALFORMED", absl::StatusCode::kInvalidArgument, REASON_TICKET_INVALID,
              REASON_TICKET_INVALID};
    case Failure::kMisconfigured:
      return {"MISCONFIGURED", absl::StatusCode::kFailedPrecondition, REASON_INTERNAL_ERROR,
              REASON_INTERNAL_ERROR};
  }
  return FactsOf(Failure::kNone);
}

Failure FromKrbCode(krb5_error_code code) {
  switch (code) {
    case KRB5KRB_AP_ERR_SKEW:
    case KRB5_KDCREP_SKEW:
    case KRB5KRB_AP_ERR_TKT_NYV:
      return Failure::kClockSkew;
    case KRB5KRB_AP_ERR_TKT_EXPIRED:
    case KRB5KDC_ERR_NEVER_VALID:
      return Failure::kTicketExpired;
    case KRB5KRB_AP_ERR_REPEAT:
      return Failure::kReplayed;
    case KRB5KDC_ERR_PREAUTH_FAILED:
    case KRB5_PREAUTH_FAILED:
    case KRB5KRB_AP_ERR_BAD_INTEGRITY:
      return Failure::kWrongPassword;
    case KRB5KDC_ERR_CLIENT_REVOKED:
    case KRB5KDC_ERR_TGT_REVOKED:
    case KRB5KDC_ERR_SERVICE_REVOKED:
      return Failure::kAccountRevoked;
    case KRB5KDC_ERR_NAME_EXP:
    case KRB5KDC_ERR_SERVICE_EXP:
      return Failure::kAccountExpired;
    case KRB5KDC_ERR_KEY_EXP:
      return Failure::kPasswordExpired;
    case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
      return Failure::kUnknownAccount;
    case KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN:
      return Failure::kUnknownService;
    case KRB5KDC_ERR_POLICY:
    case KRB5KDC_ERR_CLIENT_NOTYET:
      return Failure::kNotPermitted;
    case KRB5KDC_ERR_PATH_NOT_ACCEPTED:
    case KRB5KRB_AP_ERR_ILL_CR_TKT:
      return Failure::kUntrustedRealm;
    case KRB5_KDC_UNREACH:
    case KRB5_REALM_UNKNOWN:
    case KRB5_REALM_CANT_RESOLVE:
      return Failure::kUnreachable;
    case KRB5_PARSE_MALFORMED:
      return Failure::kMalformed;
    case KRB5KDC_ERR_ETYPE_NOSUPP:  // No key of a kind that both ends take.
    case KRB5KDC_ERR_SERVICE_NOTYET:
    case KRB5_KT_NOTFOUND:
    case KRB5_KT_KVNONOTFOUND:
    case KRB5KRB_AP_ERR_BADKEYVER:
    case KRB5KRB_AP_ERR_NOKEY:
    case KRB5KRB_AP_WRONG_PRINC:
    case KRB5KRB_AP_ERR_NOT_US:
    case KRB5KRB_AP_ERR_MODIFIED:
    case KRB5_BAD_ENCTYPE:
      return Failure::kTicketInvalid;
    default:
      return Failure::kNone;
  }
}

std::string GssText(OM_uint32 status, int type, gss_OID mechanism) {
  OM_uint32 minor = 0;
  OM_uint32 more = 0;
  GssBuffer text;
  if (gss_display_status(&minor, status, type, mechanism, &more, text.out()) != GSS_S_COMPLETE) {
    return {};
  }
  return std::string(text.text());
}

Failure FromGssMajor(OM_uint32 major) {
  switch (GSS_ROUTINE_ERROR(major)) {
    case GSS_S_BAD_BINDINGS:
      return Failure::kNotBound;
    case GSS_S_DEFECTIVE_TOKEN:
    case GSS_S_BAD_MECH:
      return Failure::kMalformed;
    case GSS_S_CREDENTIALS_EXPIRED:
    case GSS_S_CONTEXT_EXPIRED:
      return Failure::kTicketExpired;
    case GSS_S_DUPLICATE_TOKEN:
      return Failure::kReplayed;
    case GSS_S_BAD_NAME:
    case GSS_S_BAD_NAMETYPE:
      return Failure::kMalformed;
    default:
      return Failure::kNone;
  }
}

// SPNEGO renumbers the minor status of the mechanism inside it, and GSSAPI has no call that
// undoes it; the text that belongs to it stays.
Failure FromText(std::string_view detail) {
  for (const long code : {KRB5KRB_AP_ERR_REPEAT, KRB5KRB_AP_ERR_SKEW, KRB5KRB_AP_ERR_TKT_EXPIRED,
                          KRB5KRB_AP_ERR_TKT_NYV}) {
    const auto krb_code = static_cast<krb5_error_code>(code);
    const char* message = krb5_get_error_message(nullptr, krb_code);
    const bool same = detail == message;
    krb5_free_error_message(nullptr, message);
    if (same) return FromKrbCode(krb_code);
  }
  return Failure::kNone;
}

// Codes that no entry of ours names are invalid tickets or faults of ours; the former are
// what strangers can cause.
absl::Status Make(Failure failure, const std::string& message) {
  if (failure == Failure::kNone) return absl::InternalError(message);
  return MakeFailure(failure, message);
}

}  // namespace

std::string_view Name(Failure failure) { return FactsOf(failure).name; }

reason::v1::Reason ReasonOf(Failure failure, Holder holder) {
  const FailureFacts facts = FactsOf(failure);
  return holder == Holder::kComputer ? facts.of_computer : facts.of_user;
}

Failure FailureOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload) return Failure::kNone;
  return static_cast<Failure>(std::stoi(std::string(*payload)));
}

absl::Status MakeFailure(Failure failure, std::string_view message) {
  absl::Status status(FactsOf(failure).code, {message.data(), message.size()});
  status.SetPayload(kPayloadUrl, absl::Cord(std::to_string(static_cast<int>(failure))));
  return status;
}

absl::Status KrbError(krb5_context context, krb5_error_code code, std::string_view what) {
  std::string text = "libkrb5 cannot start";
  if (context != nullptr) {
    const char* message = krb5_get_error_message(context, code);
    text = message;
    krb5_free_error_message(context, message);
  }
  return Make(FromKrbCode(code), fmt::format("{}: {}", what, text));
}

absl::Status GssError(OM_uint32 major, OM_uint32 minor, std::string_view what) {
  const std::string detail = GssText(minor, GSS_C_MECH_CODE, const_cast<gss_OID>(gss_mech_krb5));
  Failure failure = FromGssMajor(major);
  if (failure == Failure::kNone) failure = FromKrbCode(static_cast<krb5_error_code>(minor));
  if (failure == Failure::kNone) failure = FromText(detail);
  const bool says = minor != 0 && !detail.empty() && detail != "Unknown error";
  return Make(failure, fmt::format("{}: {}{}{}", what, GssText(major, GSS_C_GSS_CODE, nullptr),
                                   says ? "; " : "", says ? detail : ""));
}

}  // namespace devicetrust::kerberos
