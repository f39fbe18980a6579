#include "simulator/forest/ldap/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/ascii.h"
#include "simulator/forest/ldap/protocol.h"

namespace devicetrust::simulator {
namespace {

constexpr std::string_view kNoticeOid = "1.3.6.1.4.1.1466.20036";
constexpr std::string_view kStartTlsOid = "1.3.6.1.4.1.1466.20037";

BerTag ResponseTo(BerTag request) {
  if (request == kDeleteRequest) return kDeleteResponse;
  return request == kSearchRequest ? kSearchDone : request + 1;
}

// "ldap://other.test/dc=other,dc=test" (RFC 4516), from a canonical name.
std::string ReferralTo(std::string_view canonical) {
  std::string host;
  std::string path;
  for (std::size_t at = 0; at < canonical.size();) {
    std::size_t end = at;
    while (end < canonical.size() && canonical[end] != ',') end += canonical[end] == '\\' ? 2 : 1;
    end = std::min(end, canonical.size());
    const std::string_view part = canonical.substr(at, end - at);
    if (part.starts_with("dc=")) host += (host.empty() ? "" : ".") + FirstNameValue(part);
    at = end + 1;
  }
  const auto append = [&path](char c) {
    const bool plain =
        IsLower(c) || IsDigit(c) || std::string_view("-._~=,").find(c) != std::string_view::npos;
    path += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  };
  std::for_each(canonical.begin(), canonical.end(), append);
  const auto of_host = [](char c) { return IsLower(c) || IsDigit(c) || c == '-' || c == '.'; };
  if (!IsAll(host, of_host)) host.clear();
  return fmt::format("ldap://{}/{}", host, path);
}

}  // namespace

void LdapSession::AppendNoticeOfDisconnection(std::string_view why, std::string& out) {
  BerWriter writer;
  BeginResult(0, kExtendedResponse, kProtocolError, why, writer);
  writer.Text(kNoticeOid, kResponseName).End().End().AppendTo(out);
}

bool LdapSession::Handle(std::string_view content, std::string& out) {
  const absl::StatusOr<bool> open = Dispatch(content, out);
  if (open.ok()) return *open;
  AppendNoticeOfDisconnection(std::string(open.status().message()), out);
  return false;
}

absl::StatusOr<bool> LdapSession::Dispatch(std::string_view content, std::string& out) {
  BerReader reader(content);
  DT_ASSIGN_OR_RETURN(const int id, reader.NextInteger());
  DT_ASSIGN_OR_RETURN(const BerItem request, reader.Next());
  if (id <= 0) return MalformedMessage();  // Zero is the server's own.
  absl::StatusOr<Controls> controls = Controls();
  if (!reader.AtEnd()) {
    DT_ASSIGN_OR_RETURN(const std::string_view list, reader.Next(kControls));
    if (!reader.AtEnd()) return MalformedMessage();
    controls = ParseControls(list, request.tag == kSearchRequest);
  }
  if (request.tag == kUnbindRequest) return false;
  if (request.tag == kAbandonRequest) return true;  // Whatever it names is answered already.
  const BerTag response = ResponseTo(request.tag);
  switch (request.tag) {
    case kBindRequest:
    case kSearchRequest:
    case kExtendedRequest:
    case kModifyRequest:
    case kAddRequest:
    case kDeleteRequest:
    case kModifyDnRequest:
    case kCompareRequest:
      break;
    default:
      return MalformedMessage();
  }
  // RFC 4513, 4: anonymous from the request until it succeeds, whatever is wrong with it.
  if (request.tag == kBindRequest) identity_.clear();
  if (controls.ok() && !controls->unsupported.empty()) {
    AppendResult(id, response, kUnavailableCriticalExtension,
                 fmt::format("control {} is not supported", controls->unsupported), out);
    return true;
  }
  if (request.tag == kSearchRequest && controls.ok()) {
    const absl::StatusOr<bool> open = Search(id, request.content, *controls, out);
    if (open.ok()) return *open;
    AppendResult(id, response, kProtocolError, std::string(open.status().message()), out);
    return true;
  }
  // RFC 4511, 4.1.1: what it asks is known, so the answer is its own.
  const absl::Status answered = controls.ok() ? Answer(id, request, out) : controls.status();
  if (!answered.ok()) {
    AppendResult(id, response, kProtocolError, std::string(answered.message()), out);
  }
  return true;
}

absl::Status LdapSession::Answer(int id, const BerItem& request, std::string& out) {
  switch (request.tag) {
    case kBindRequest:
      return Bind(id, request.content, out);
    case kExtendedRequest:
      return Extended(id, request.content, out);
    case kCompareRequest:
      return Compare(id, request.content, out);
    default:
      AppendResult(id, ResponseTo(request.tag), kUnwillingToPerform,
                   "this directory is read only: change the forest through the simulator", out);
      return absl::OkStatus();
  }
}

std::string_view LdapSession::CheckPassword(std::string_view name, std::string_view password) {
  constexpr std::string_view kWrong = "52e";
  const std::optional<LdapEntry> entry = entries_.FindForBind(name);
  if (!entry) return kWrong;
  const Account& account = entry->row.account;
  const std::int64_t now = UnixSeconds(clock_.Now());
  if (account.IsLocked(now)) return "775";  // Before the password, unlike the others.
  if (account.password.empty() || account.password.view() != password) return kWrong;
  if (account.has(kDisabled)) return "533";
  if (account.HasExpired(now)) return "701";
  if (!account.MayLogOnAt(now)) return "530";
  if (account.PasswordHasExpired(now)) return "532";
  if (account.has(kMustChangePassword)) return "773";
  identity_ = fmt::format("u:{}\\{}", entries_.RealmOf(*entry).netbios.view(), entry->name);
  return {};
}

absl::Status LdapSession::Bind(int id, std::string_view body, std::string& out) {
  constexpr BerTag kSimple = 0x80;
  BerReader reader(body);
  DT_ASSIGN_OR_RETURN(const int version, reader.NextInteger());
  DT_ASSIGN_OR_RETURN(const std::string_view name, reader.Next(kBerOctetString));
  DT_ASSIGN_OR_RETURN(const BerItem credentials, reader.Next());
  if (!reader.AtEnd()) return MalformedMessage();
  const auto answer = [&](int code, std::string_view message) {
    AppendResult(id, kBindResponse, code, message, out);
    return absl::OkStatus();
  };
  if (version != 3) return answer(kProtocolError, "LDAP version 3 only");
  if (credentials.tag != kSimple) return answer(kAuthMethodNotSupported, "simple binds only");
  const std::string_view password = credentials.content;
  if (password.empty() && (name.empty() || behaviour_.accept_unauthenticated_bind)) {
    return answer(kSuccess, "");
  }
  if (password.empty()) {
    return answer(kUnwillingToPerform, "a bind needs a password (RFC 4513, section 5.1.2)");
  }
  const std::string_view data = CheckPassword(name, password);
  if (data.empty()) return answer(kSuccess, "");
  return answer(kInvalidCredentials,
                fmt::format("80090308: LdapErr: DSID-0C09050F, comment: AcceptSecurityContext "
                            "error, data {}, v4563",
                            data));
}

absl::Status LdapSession::Extended(int id, std::string_view body, std::string& out) {
  constexpr BerTag kRequestName = 0x80;
  BerReader reader(body);
  DT_ASSIGN_OR_RETURN(const std::string_view oid, reader.Next(kRequestName));
  if (oid == kWhoAmIOid) {
    BerWriter writer;
    BeginResult(id, kExtendedResponse, kSuccess, "", writer);
    writer.Text(identity_, kResponseValue).End().End().AppendTo(out);
  } else if (oid == kStartTlsOid) {  // RFC 4511, 4.14.2.
    AppendResult(id, kExtendedResponse, kOperationsError, "TLS is already in place", out);
  } else {
    AppendResult(id, kExtendedResponse, kProtocolError, "unknown extended operation", out);
  }
  return absl::OkStatus();
}

absl::Status LdapSession::Compare(int id, std::string_view body, std::string& out) {
  constexpr BerTag kEqualityMatch = 0xa3;
  BerReader reader(body);
  DT_ASSIGN_OR_RETURN(const std::string_view name, reader.Next(kBerOctetString));
  DT_ASSIGN_OR_RETURN(const std::string_view assertion, reader.Next(kBerSequence));
  if (!reader.AtEnd()) return MalformedMessage();
  DT_ASSIGN_OR_RETURN(const LdapFilter filter, ParseLdapFilter({kEqualityMatch, assertion}));
  const auto answer = [&](int code, std::string_view message) {
    AppendResult(id, kCompareResponse, code, message, out);
    return absl::OkStatus();
  };
  if (identity_.empty()) return answer(kOperationsError, kNotBound);
  if (filter.op == LdapFilter::Op::kUndefined) {
    return answer(kUndefinedAttributeType, "unknown attribute, or no value of its syntax");
  }
  const auto entry = FindOrAnswer(id, kCompareResponse, name, out);
  if (!entry) return absl::OkStatus();
  bool has_values = false;
  entries_.Values(*entry, filter.attribute, [&](std::string_view) { has_values = true; });
  if (!has_values) return answer(kNoSuchAttribute, "");
  const bool equal = MatchLdapFilter(filter, *entry, entries_) == LdapTruth::kTrue;
  return answer(equal ? kCompareTrue : kCompareFalse, "");
}

std::optional<LdapEntry> LdapSession::FindOrAnswer(int id, BerTag response, std::string_view name,
                                                   std::string& out) const {
  const std::string canonical = CanonicalName(name);
  if (!IsName(name)) {
    AppendResult(id, response, kInvalidDnSyntax,
                 "0000208F: NameErr: DSID-03100225, problem 2006 (BAD_NAME), data 8350", out);
  } else if (canonical.empty()) {  // Above all domains: no global catalog.
    AppendResult(id, response, kNoSuchObject, "", out);
  } else if (!entries_.RealmOfName(canonical)) {
    BerWriter writer;  // With where Active Directory would look: at the domain of that name.
    BeginResult(id, response, kReferral, "0000202B: RefErr: DSID-03100835, data 0, 1 access points",
                writer);
    writer.Begin(kReferrals).Text(ReferralTo(canonical)).End();
    writer.End().End().AppendTo(out);
  } else if (auto entry = entries_.FindName(canonical)) {
    return entry;
  } else {
    AppendResult(id, response, kNoSuchObject,
                 "0000208D: NameErr: DSID-0310028D, problem 2001 (NO_OBJECT), data 0", out);
  }
  return std::nullopt;
}

}  // namespace devicetrust::simulator
