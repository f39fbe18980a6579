// The searches of a session.
#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <charconv>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "libs/base/ascii.h"
#include "simulator/forest/ldap/protocol.h"
#include "simulator/forest/ldap/session.h"

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kCookieBytes = 16;
constexpr int kBusy = 51;

// "<WKGUID=…,DC=…>" names the container of what is deleted ([MS-ADTS] 6.1.1.4).
constexpr std::string_view kDeletedObjects = "<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,";

// Where a page ended, and of which search. A client hands it back and must not be able to change it
// into another place of another search.
std::string CookieOf(LdapPosition position, std::size_t search) {
  std::string cookie(kCookieBytes, '\0');
  const std::uint64_t words[] = {position, static_cast<std::uint64_t>(search) ^ position};
  for (std::size_t i = 0; i < kCookieBytes; ++i) {
    cookie[i] = static_cast<char>((words[i / 8] >> (i % 8 * 8)) & 0xffU);
  }
  return cookie;
}

std::optional<LdapPosition> PositionIn(std::string_view cookie, std::size_t search) {
  if (cookie.empty()) return 0;
  if (cookie.size() != kCookieBytes) return std::nullopt;
  LdapPosition position = 0;
  for (std::size_t i = 8; i-- > 0;) {
    position = position << 8U | static_cast<unsigned char>(cookie[i]);
  }
  if (CookieOf(position, search) != cookie) return std::nullopt;
  return position;
}

// Where the domain controller describes itself.
std::string ServiceName(const LdapEntries& entries) {
  return fmt::format(
      "CN=NTDS Settings,CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration,{}",
      entries.realm(entries.realms().front()).base_dn.view());
}

// "member;range=1500-*": the first value that is wanted; 0 without a range.
std::size_t FirstOfRange(std::string_view description) {
  constexpr std::string_view kRange = ";range=";
  const std::size_t at = description.find(kRange);
  if (at == description.npos) return 0;
  const std::string_view range = description.substr(at + kRange.size());
  std::size_t first = 0;
  std::from_chars(range.data(), range.data() + range.size(), first);
  return first;
}

}  // namespace

struct LdapSession::SearchRequest {
  enum class Scope { kBase = 0, kOne = 1, kSubtree = 2 };

  static absl::StatusOr<SearchRequest> Parse(std::string_view body);
  bool Wants(std::string_view attribute) const {
    const std::string lower = CanonicalValue(LdapSyntax::kText, attribute);
    return all_attributes || std::find(names.begin(), names.end(), lower) != names.end();
  }
  bool IsInScope(const LdapEntry& entry) const;

  std::string base;  // Canonical.
  Scope scope = Scope::kBase;
  int size_limit = 0;  // 0: none.
  bool types_only = false;
  bool all_attributes = false;
  std::vector<std::string> names;  // Of attributes, lower case.
  std::bitset<kLdapAttributeCount> attributes;
  std::map<LdapAttribute, std::size_t> first_values;  // Of those asked for by range.
  LdapFilter filter;
  std::size_t hash = 0;  // Of all of it.
  std::optional<Paging> paging;
  bool show_deleted = false;
};

absl::StatusOr<LdapSession::SearchRequest> LdapSession::SearchRequest::Parse(
    std::string_view body) {
  SearchRequest request;
  request.hash = std::hash<std::string_view>()(body);
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
  bool token_groups = false;  // Computed, so never of "all".
  while (!attributes.AtEnd()) {
    DT_ASSIGN_OR_RETURN(const std::string_view name, attributes.Next(kBerOctetString));
    if (name == "*") request.all_attributes = true;
    if (const auto known = FindLdapAttribute(name)) {
      request.attributes.set(static_cast<std::size_t>(*known));
      request.first_values[*known] = FirstOfRange(name);
      token_groups = token_groups || *known == LdapAttribute::kTokenGroups;
    }
    request.names.push_back(CanonicalValue(LdapSyntax::kText, name));
  }
  if (request.all_attributes) request.attributes.set();
  request.attributes.set(static_cast<std::size_t>(LdapAttribute::kTokenGroups), token_groups);
  return request;
}

bool LdapSession::SearchRequest::IsInScope(const LdapEntry& entry) const {
  const std::string name = CanonicalName(entry.dn);
  if (name == base) return scope != Scope::kOne;
  const std::string below = "," + base;
  if (scope == Scope::kBase || !name.ends_with(below)) return false;
  if (scope == Scope::kSubtree) return true;
  const std::string_view rdn(name.data(), name.size() - below.size());
  for (std::size_t i = 0; i < rdn.size(); ++i) {
    if (rdn[i] == '\\') {
      ++i;
    } else if (rdn[i] == ',') {
      return false;
    }
  }
  return true;
}

absl::StatusOr<LdapSession::Controls> LdapSession::ParseControls(std::string_view list,
                                                                 bool of_search) {
  Controls controls;
  BerReader reader(list);
  while (!reader.AtEnd()) {
    DT_ASSIGN_OR_RETURN(const std::string_view control, reader.Next(kBerSequence));
    BerReader fields(control);
    DT_ASSIGN_OR_RETURN(const std::string_view oid, fields.Next(kBerOctetString));
    bool critical = false;
    std::string_view value;
    while (!fields.AtEnd()) {
      DT_ASSIGN_OR_RETURN(const BerItem field, fields.Next());
      if (field.tag == kBerBoolean) {
        if (field.content.size() != 1) return MalformedMessage();
        critical = field.content[0] != 0;
      } else if (field.tag == kBerOctetString) {
        value = field.content;
      }
    }
    if (of_search && oid == kPagedOid) {
      BerReader whole(value);
      DT_ASSIGN_OR_RETURN(const std::string_view content, whole.Next(kBerSequence));
      BerReader paging(content);
      DT_ASSIGN_OR_RETURN(const int size, paging.NextInteger());
      DT_ASSIGN_OR_RETURN(const std::string_view cookie, paging.Next(kBerOctetString));
      if (size < 0) return MalformedMessage();
      controls.paging = {size, std::string(cookie)};
    } else if (of_search && oid == kShowDeletedOid) {
      controls.show_deleted = true;
    } else if (critical && controls.unsupported.empty()) {
      controls.unsupported = oid;
    }
  }
  return controls;
}

absl::StatusOr<bool> LdapSession::Search(int id, std::string_view body, const Controls& controls,
                                         std::string& out) {
  absl::StatusOr<SearchRequest> request = SearchRequest::Parse(body);
  if (absl::IsResourceExhausted(request.status())) {
    AppendResult(id, kSearchDone, kAdminLimitExceeded, std::string(request.status().message()),
                 out);
    return true;
  }
  DT_RETURN_IF_ERROR(request.status());
  request->paging = controls.paging;
  request->show_deleted = controls.show_deleted && behaviour_.shows_deleted;
  if (request->base.empty() && request->scope == SearchRequest::Scope::kBase) {
    SearchRoot(id, *request, out);
    return true;
  }
  if (identity_.empty()) {
    AppendResult(id, kSearchDone, kOperationsError, kNotBound, out);
    return true;
  }
  const LdapFault fault = behaviour_.fault == nullptr ? LdapFault::kNone : behaviour_.fault->load();
  if (fault != LdapFault::kNone && request->paging) return SearchIll(id, *request, fault, out);
  if (request->scope == SearchRequest::Scope::kBase &&
      request->base == CanonicalName(ServiceName(entries_))) {
    SearchService(id, *request, out);
  } else if (request->base.starts_with(kDeletedObjects)) {
    SearchDeletedContainer(id, *request, controls.show_deleted, out);
  } else {
    SearchDomain(id, *request, out);
  }
  return true;
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
  put("dsServiceName", {ServiceName(entries_)});
  put("supportedLDAPVersion", {"3"});
  put("supportedControl", {std::string(kPagedOid), std::string(kShowDeletedOid)});
  put("supportedExtension", {std::string(kWhoAmIOid)});
  put("supportedCapabilities", {"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670"});
  put("highestCommittedUSN", {std::to_string(entries_.highest_usn())});
  writer.End().End().End().AppendTo(out);
  AppendResult(id, kSearchDone, kSuccess, "", out);
}

// The domain controller itself ([MS-ADTS] 6.1.1.2.2.1.2.1.1).
void LdapSession::SearchService(int id, const SearchRequest& request, std::string& out) const {
  BerWriter writer;
  writer.Begin().Integer(id).Begin(kSearchEntry).Text(ServiceName(entries_)).Begin();
  const auto put = [&](std::string_view name, std::string_view value) {
    if (!request.Wants(name)) return;
    writer.Begin().Text(name).Begin(kBerSet);
    if (!request.types_only) writer.Text(value);
    writer.End().End();
  };
  put("objectClass", "nTDSDSA");
  put("invocationId", entries_.invocation_id());
  writer.End().End().End().AppendTo(out);
  AppendResult(id, kSearchDone, kSuccess, "", out);
}

// As Samba: that it is there, whoever asks for what is deleted is told; what it is, who may list
// it.
void LdapSession::SearchDeletedContainer(int id, const SearchRequest& request,
                                         bool asks_for_deleted, std::string& out) const {
  if (!asks_for_deleted) {
    return AppendResult(id, kSearchDone, kNoSuchObject,
                        "0000208D: NameErr: DSID-0310028D, problem 2001 (NO_OBJECT), data 0", out);
  }
  BerWriter writer;
  writer.Begin().Integer(id).Begin(kSearchEntry);
  writer.Text(fmt::format("CN=Deleted Objects,{}",
                          entries_.realm(entries_.realms().front()).base_dn.view()));
  writer.Begin();
  if (request.show_deleted) {
    writer.Begin().Text("objectGUID").Begin(kBerSet).Text("CN=DeletedObject").End().End();
  }
  writer.End().End().End().AppendTo(out);
  AnswerPage(id, request, kSuccess, {}, out);
}

void LdapSession::AppendValues(const LdapEntry& entry, LdapAttribute attribute,
                               const SearchRequest& request, BerWriter& writer) const {
  std::vector<std::string> values;
  entries_.Values(entry, attribute,
                  [&values](std::string_view value) { values.emplace_back(value); });
  if (values.empty()) return;
  const auto asked = request.first_values.find(attribute);
  const std::size_t first = asked == request.first_values.end() ? 0 : asked->second;
  std::string name(NameOf(attribute));
  std::size_t last = values.size();
  if (first > 0 || values.size() > behaviour_.values_max) {
    if (first >= values.size()) return;
    last = std::min(values.size(), first + behaviour_.values_max);
    name += last == values.size() ? fmt::format(";range={}-*", first)
                                  : fmt::format(";range={}-{}", first, last - 1);
  }
  writer.Begin().Text(name).Begin(kBerSet);
  for (std::size_t i = first; i < last && !request.types_only; ++i) writer.Text(values[i]);
  writer.End().End();
}

void LdapSession::AppendEntry(int id, const LdapEntry& entry, const SearchRequest& request,
                              std::string& out) const {
  BerWriter writer;
  writer.Begin().Integer(id).Begin(kSearchEntry).Text(entry.dn).Begin();
  for (int i = 0; i < kLdapAttributeCount; ++i) {
    if (!request.attributes.test(static_cast<std::size_t>(i))) continue;
    AppendValues(entry, static_cast<LdapAttribute>(i), request, writer);
  }
  writer.End().End().End().AppendTo(out);
}

void LdapSession::AnswerPage(int id, const SearchRequest& request, int code,
                             std::string_view cookie, std::string& out) {
  BerWriter writer;
  BeginResult(id, kSearchDone, code, "", writer);
  writer.End();
  if (request.paging) {
    BerWriter value;
    std::string bytes;
    value.Begin().Integer(0).Text(cookie).End().AppendTo(bytes);
    writer.Begin(kControls).Begin().Text(kPagedOid).Text(bytes).End().End();
  }
  writer.End().AppendTo(out);
}

void LdapSession::SearchDomain(int id, const SearchRequest& request, std::string& out) const {
  const std::optional<LdapEntry> base = FindOrAnswer(id, kSearchDone, request.base, out);
  if (!base) return;
  // "On a base search only" ([MS-ADTS] 3.1.1.4.5.19).
  if (request.scope != SearchRequest::Scope::kBase &&
      request.attributes.test(static_cast<std::size_t>(LdapAttribute::kTokenGroups))) {
    return AppendResult(id, kSearchDone, kOperationsError,
                        "tokenGroups is of a search of one entry alone", out);
  }
  const std::optional<LdapPosition> after =
      PositionIn(request.paging ? request.paging->cookie : std::string(), request.hash);
  if (!after) {
    return AppendResult(id, kSearchDone, kUnwillingToPerform, "the cookie is not of this search",
                        out);
  }
  if (request.paging && request.paging->size == 0) {  // RFC 2696, 3: the client gives up.
    return AnswerPage(id, request, kSuccess, {}, out);
  }
  SendEntries(id, request, *base, *after, out);
}

void LdapSession::SendEntries(int id, const SearchRequest& request, const LdapEntry& base,
                              LdapPosition after, std::string& out) const {
  int limit =
      request.size_limit == 0 ? kLdapEntriesMax : std::min(request.size_limit, kLdapEntriesMax);
  if (request.paging) limit = std::min(request.paging->size, kLdapEntriesMax);
  int sent = 0;
  bool more = false;
  LdapPosition last = after;
  const auto send = [&](LdapPosition position, const LdapEntry& entry) {
    if (!request.IsInScope(entry)) return true;
    if (sent == limit) {
      more = true;
      return false;
    }
    AppendEntry(id, entry, request, out);
    ++sent;
    last = position;
    return true;
  };
  const auto visit = [&](LdapPosition position, const LdapEntry& entry) {
    return MatchLdapFilter(request.filter, entry, entries_) != LdapTruth::kTrue ||
           send(position, entry);
  };
  if (request.scope == SearchRequest::Scope::kBase) {
    visit(0, base);
  } else if (const auto candidates = CandidatesOf(request.filter, base.realm, entries_)) {
    if (request.paging) limit = kLdapEntriesMax;  // A few at most: one page.
    for (const LdapEntry& entry : candidates->entries) {
      if (!(candidates->all_match ? send(0, entry) : visit(0, entry))) break;
    }
  } else if (const auto found = PositionsOf(request.filter, base.realm, entries_)) {
    const LdapEntries::Visit each = found->all_match ? LdapEntries::Visit(send) : visit;
    entries_.Walk(base.realm, request.show_deleted, after, found->positions, each);
  } else {
    entries_.Scan(base.realm, request.show_deleted, after, visit);
  }
  const int code = more && !request.paging ? kSizeLimitExceeded : kSuccess;
  AnswerPage(id, request, code, more ? CookieOf(last, request.hash) : std::string(), out);
}

bool LdapSession::SearchIll(int id, const SearchRequest& request, LdapFault fault,
                            std::string& out) const {
  constexpr std::size_t kReferralsPerPage = 5000;
  const auto done = [&](std::string_view cookie) {
    AnswerPage(id, request, kSuccess, cookie, out);
    return true;
  };
  const bool first = request.paging->cookie.empty();
  switch (fault) {
    case LdapFault::kNone:
      break;
    case LdapFault::kNobody:
      return done({});
    case LdapFault::kPagesForEver:
      return done("again");
    case LdapFault::kReferralsForEver:
      for (std::size_t i = 0; i < kReferralsPerPage; ++i) {
        BerWriter writer;
        writer.Begin().Integer(id).Begin(kSearchReference);
        writer.Text("ldap://dc1.corp.test/DC=corp,DC=test??sub").End().End().AppendTo(out);
      }
      return done("again");
    case LdapFault::kReferredAway: {
      BerWriter writer;
      BeginResult(id, kSearchDone, kReferral, "0000202B: RefErr: DSID-03100835", writer);
      writer.Begin(kReferrals).Text("ldap://dc1.corp.test/DC=corp,DC=test").End();
      writer.End().End().AppendTo(out);
      return true;
    }
    case LdapFault::kHalfPage:
    case LdapFault::kErrorMidway: {
      SearchRequest page = request;
      if (first) page.paging->size = 2;
      const std::size_t before = out.size();
      if (first || fault == LdapFault::kHalfPage) SearchDomain(id, page, out);
      if (first) return true;
      if (fault == LdapFault::kHalfPage) {
        out.resize(before + (out.size() - before) / 2);
        return false;
      }
      AppendResult(id, kSearchDone, kBusy, "000020D7: SvcErr: DSID-03140ABC, problem 5001 (BUSY)",
                   out);
      return true;
    }
  }
  return true;
}

}  // namespace devicetrust::simulator
