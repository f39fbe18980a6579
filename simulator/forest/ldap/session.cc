#include "simulator/forest/ldap/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <initializer_list>
#include <utility>
#include <vector>

#include "libs/base/ascii.h"

namespace devicetrust::simulator {
namespace {

// protocolOps (RFC 4511, section 4.2 and following).
constexpr BerTag kBindRequest = 0x60;
constexpr BerTag kBindResponse = 0x61;
constexpr BerTag kUnbindRequest = 0x42;
constexpr BerTag kSearchRequest = 0x63;
constexpr BerTag kSearchEntry = 0x64;
constexpr BerTag kSearchDone = 0x65;
constexpr BerTag kModifyRequest = 0x66;
constexpr BerTag kAddRequest = 0x68;
constexpr BerTag kDeleteRequest = 0x4a;
constexpr BerTag kDeleteResponse = 0x6b;
constexpr BerTag kModifyDnRequest = 0x6c;
constexpr BerTag kCompareRequest = 0x6e;
constexpr BerTag kCompareResponse = 0x6f;
constexpr BerTag kAbandonRequest = 0x50;
constexpr BerTag kExtendedRequest = 0x77;
constexpr BerTag kExtendedResponse = 0x78;
constexpr BerTag kControls = 0xa0;
constexpr BerTag kReferrals = 0xa3;
constexpr BerTag kResponseName = 0x8a;
constexpr BerTag kResponseValue = 0x8b;

// Result codes (RFC 4511, appendix A).
constexpr int kSuccess = 0;
constexpr int kOperationsError = 1;
constexpr int kProtocolError = 2;
constexpr int kSizeLimitExceeded = 4;
constexpr int kCompareFalse = 5;
constexpr int kCompareTrue = 6;
constexpr int kAuthMethodNotSupported = 7;
constexpr int kAdminLimitExceeded = 11;
constexpr int kUnavailableCriticalExtension = 12;
constexpr int kReferral = 10;
constexpr int kNoSuchAttribute = 16;
constexpr int kUndefinedAttributeType = 17;
constexpr int kNoSuchObject = 32;
constexpr int kInvalidDnSyntax = 34;
constexpr int kInvalidCredentials = 49;
constexpr int kUnwillingToPerform = 53;

constexpr std::string_view kNoticeOid = "1.3.6.1.4.1.1466.20036";
constexpr std::string_view kStartTlsOid = "1.3.6.1.4.1.1466.20037";
constexpr std::string_view kWhoAmIOid = "1.3.6.1.4.1.4203.1.11.3";

constexpr std::string_view kNotBound =
    "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful "
    "bind must be completed on the connection., data 0, v4563";

absl::Status MalformedMessage() { return absl::InvalidArgumentError("malformed LDAP message"); }

BerTag ResponseTo(BerTag request) {
  if (request == kDeleteRequest) return kDeleteResponse;
  return request == kSearchRequest ? kSearchDone : request + 1;
}

// LDAPResult with its message id; leaves the response open for more fields.
void BeginResult(int id, BerTag response, int code, std::string_view message, BerWriter& writer) {
  writer.Begin().Integer(id).Begin(response).Integer(code, kBerEnumerated).Text("").Text(message);
}

void AppendResult(int id, BerTag response, int code, std::string_view message, std::string& out) {
  BerWriter writer;
  BeginResult(id, response, code, message, writer);
  writer.End().End().AppendTo(out);
}

// OID of the first control that is critical; we support none. Empty: no such one.
absl::StatusOr<std::string> CriticalControl(std::string_view controls) {
  BerReader reader(controls);
  while (!reader.AtEnd()) {
    DT_ASSIGN_OR_RETURN(const std::string_view control, reader.Next(kBerSequence));
    BerReader fields(control);
    DT_ASSIGN_OR_RETURN(const std::string_view oid, fields.Next(kBerOctetString));
    if (fields.AtEnd()) continue;
    DT_ASSIGN_OR_RETURN(const BerItem second, fields.Next());
    if (second.tag != kBerBoolean) continue;
    if (second.content.size() != 1) return MalformedMessage();
    if (second.content[0] != 0) return std::string(oid);
  }
  return std::string();
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

struct LdapSession::SearchRequest {
  enum class Scope { kBase = 0, kOne = 1, kSubtree = 2 };

  static absl::StatusOr<SearchRequest> Parse(std::string_view body);
  bool Wants(std::string_view attribute) const {
    const std::string lower = CanonicalValue(LdapSyntax::kText, attribute);
    return all_attributes || std::find(names.begin(), names.end(), lower) != names.end();
  }

  std::string base;  // Canonical.
  Scope scope = Scope::kBase;
  int size_limit = 0;  // 0: none.
  bool types_only = false;
  bool all_attributes = false;
  std::vector<std::string> names;  // Of attributes, lower case.
  std::bitset<kLdapAttributeCount> attributes;
  LdapFilter filter;
};

absl::StatusOr<LdapSession::SearchRequest> LdapSession::SearchRequest::Parse(
    std::string_view body) {
  SearchRequest request;
  BerReader reader(body);
  DT_ASSIGN_OR_RETURN(const std::string_view base, reader.Next(kBerOctetString));
  request.base = IsName(base) ? CanonicalName(base) : std::string(base);
  DT_ASSIGN_OR_RETURN(const int scope, reader.NextInteger(kBerEnumerated));
  if (scope < 0 || scope > 2) {
    return absl::InvalidArgumentError(fmt::format("scope {} is none of 0, 1, 2", scope));
  }
  request.scope = static_cast<Scope>(scope);
  DT_RETURN_IF_ERROR(reader.NextInteger(kBerEnumerated).status());  // Aliases: there are none.
  DT_ASSIGN_OR_RETURN(request.size_limit, reader.NextInteger());
  DT_RETURN_IF_ERROR(reader.NextInteger().status());  // Time limit: answers take milliseconds.
  DT_ASSIGN_OR_RETURN(request.types_only, reader.NextBoolean());
  DT_ASSIGN_OR_RETURN(const BerItem filter, reader.Next());
  DT_ASSIGN_OR_RETURN(request.filter, ParseLdapFilter(filter));
  DT_ASSIGN_OR_RETURN(const std::string_view list, reader.Next(kBerSequence));
  if (!reader.AtEnd() || request.size_limit < 0) return MalformedMessage();

  BerReader attributes(list);
  request.all_attributes = attributes.AtEnd();
  while (!attributes.AtEnd()) {
    DT_ASSIGN_OR_RETURN(const std::string_view name, attributes.Next(kBerOctetString));
    if (name == "*") request.all_attributes = true;
    if (const auto known = FindLdapAttribute(name)) {
      request.attributes.set(static_cast<std::size_t>(*known));
    }
    request.names.push_back(CanonicalValue(LdapSyntax::kText, name));
  }
  if (request.all_attributes) request.attributes.set();
  return request;
}

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
  absl::StatusOr<std::string> critical = std::string();
  if (!reader.AtEnd()) {
    DT_ASSIGN_OR_RETURN(const std::string_view controls, reader.Next(kControls));
    if (!reader.AtEnd()) return MalformedMessage();
    critical = CriticalControl(controls);
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
  if (critical.ok() && !critical->empty()) {
    AppendResult(id, response, kUnavailableCriticalExtension,
                 fmt::format("control {} is not supported", *critical), out);
    return true;
  }
  // RFC 4511, 4.1.1: what it asks is known, so the answer is its own.
  const absl::Status answered = critical.ok() ? Answer(id, request, out) : critical.status();
  if (!answered.ok()) {
    AppendResult(id, response, kProtocolError, std::string(answered.message()), out);
  }
  return true;
}

absl::Status LdapSession::Answer(int id, const BerItem& request, std::string& out) {
  switch (request.tag) {
    case kBindRequest:
      return Bind(id, request.content, out);
    case kSearchRequest:
      return Search(id, request.content, out);
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

absl::Status LdapSession::Search(int id, std::string_view body, std::string& out) {
  const absl::StatusOr<SearchRequest> request = SearchRequest::Parse(body);
  if (absl::IsResourceExhausted(request.status())) {
    AppendResult(id, kSearchDone, kAdminLimitExceeded, std::string(request.status().message()),
                 out);
    return absl::OkStatus();
  }
  DT_RETURN_IF_ERROR(request.status());
  if (request->base.empty() && request->scope == SearchRequest::Scope::kBase) {
    SearchRoot(id, *request, out);
  } else if (identity_.empty()) {
    AppendResult(id, kSearchDone, kOperationsError, kNotBound, out);
  } else {
    SearchDomain(id, *request, out);
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

// The root DSE ([MS-ADTS] 3.1.1.3.2): what clients read before they bind.
void LdapSession::SearchRoot(int id, const SearchRequest& request, std::string& out) const {
  BerWriter writer;
  writer.Begin().Integer(id).Begin(kSearchEntry).Text("").Begin();
  const auto put = [&](std::string_view name, const std::vector<std::string>& values) {
    if (!request.Wants(name) || values.empty()) return;
    writer.Begin().Text(name).Begin(kBerSet);
    for (const std::string& value : values) {
      if (!request.types_only) writer.Text(value);
    }
    writer.End().End();
  };
  std::vector<std::string> contexts;
  for (const std::uint32_t realm : entries_.realms()) {
    contexts.push_back(entries_.realm(realm).base_dn.str());
  }
  const Realm& root = entries_.realm(entries_.realms().front());
  put("objectClass", {"top"});
  put("namingContexts", contexts);
  put("defaultNamingContext", {contexts.front()});
  put("rootDomainNamingContext", {contexts.front()});
  put("dnsHostName", {fmt::format("dc1.{}", CanonicalValue(LdapSyntax::kText, root.name))});
  put("supportedLDAPVersion", {"3"});
  put("supportedExtension", {std::string(kWhoAmIOid)});
  put("supportedCapabilities", {"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670"});
  put("highestCommittedUSN", {std::to_string(entries_.highest_usn())});
  writer.End().End().End().AppendTo(out);
  AppendResult(id, kSearchDone, kSuccess, "", out);
}

void LdapSession::AppendEntry(int id, const LdapEntry& entry, const SearchRequest& request,
                              std::string& out) const {
  BerWriter writer;
  writer.Begin().Integer(id).Begin(kSearchEntry).Text(entry.dn).Begin();
  for (int i = 0; i < kLdapAttributeCount; ++i) {
    if (!request.attributes.test(static_cast<std::size_t>(i))) continue;
    const auto attribute = static_cast<LdapAttribute>(i);
    bool begun = false;
    entries_.Values(entry, attribute, [&](std::string_view value) {
      if (!begun) writer.Begin().Text(NameOf(attribute)).Begin(kBerSet);
      begun = true;
      if (!request.types_only) writer.Text(value);
    });
    if (begun) writer.End().End();
  }
  writer.End().End().End().AppendTo(out);
}

void LdapSession::SearchDomain(int id, const SearchRequest& request, std::string& out) const {
  using Scope = SearchRequest::Scope;
  const std::optional<LdapEntry> base = FindOrAnswer(id, kSearchDone, request.base, out);
  if (!base) return;
  const std::string below = "," + request.base;
  const auto in_scope = [&](const LdapEntry& entry) {
    const std::string name = CanonicalName(entry.dn);
    if (name == request.base) return request.scope != Scope::kOne;
    if (request.scope == Scope::kBase || !name.ends_with(below)) return false;
    if (request.scope == Scope::kSubtree) return true;
    const std::string_view rdn(name.data(), name.size() - below.size());
    for (std::size_t i = 0; i < rdn.size(); ++i) {
      if (rdn[i] == '\\') {
        ++i;
      } else if (rdn[i] == ',') {
        return false;
      }
    }
    return true;
  };
  const int limit =
      request.size_limit == 0 ? kLdapEntriesMax : std::min(request.size_limit, kLdapEntriesMax);
  int sent = 0;
  int code = kSuccess;
  const auto send = [&](const LdapEntry& entry) {
    if (!in_scope(entry)) return true;
    if (sent == limit) {
      code = kSizeLimitExceeded;
      return false;
    }
    AppendEntry(id, entry, request, out);
    ++sent;
    return true;
  };
  const auto visit = [&](const LdapEntry& entry) {
    return MatchLdapFilter(request.filter, entry, entries_) != LdapTruth::kTrue || send(entry);
  };
  if (request.scope == Scope::kBase) {
    visit(*base);
  } else if (const auto candidates = CandidatesOf(request.filter, base->realm, entries_)) {
    for (const LdapEntry& entry : candidates->entries) {
      if (!(candidates->all_match ? send(entry) : visit(entry))) break;
    }
  } else {
    entries_.Scan(base->realm, visit);
  }
  AppendResult(id, kSearchDone, code, "", out);
}

}  // namespace devicetrust::simulator
