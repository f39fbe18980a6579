#include "libs/directory/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "libs/directory/sid.h"
#include "libs/rpc/error.h"

namespace devicetrust::directory {
namespace {

constexpr std::string_view kDomainSidBegin = "S-1-5-21-";
constexpr std::size_t kNetbiosNameMax = 15;  // [MS-ADTS] 3.1.1.1.7, as of computers.
constexpr std::size_t kDnsNameMax = 255;
constexpr std::size_t kShownMax = 128;  // Of what somebody typed, in messages.

std::string InCapitals(std::string_view text) {
  return absl::AsciiStrToUpper({text.data(), text.size()});
}

bool IsDnsName(std::string_view name) {
  const auto fits = [](char c) {
    return IsLower(c) || IsDigit(c) || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= kDnsNameMax && std::ranges::all_of(name, fits) &&
         name.front() != '.' && name.back() != '.';
}

bool IsNetbiosName(std::string_view name) {
  constexpr std::string_view kForbidden = "\\/:*?\"<>|@";
  return !name.empty() && name.size() <= kNetbiosNameMax && name == InCapitals(name) &&
         name.find_first_of(kForbidden) == name.npos;
}

// S-1-5-21 and three more numbers.
bool IsDomainSid(std::string_view sid) {
  return sid.starts_with(kDomainSidBegin) && std::ranges::count(sid, '-') == 6 &&
         SidFromText(sid).ok();
}

absl::Status Wrong(const Domain& domain, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("domain \"{}\": {}", domain.dns_name, what));
}

absl::Status CheckForms(const Domain& domain) {
  if (!IsDnsName(domain.dns_name)) return Wrong(domain, "the name must be a DNS name, lower case");
  if (!IsNetbiosName(domain.netbios_name)) {
    return Wrong(domain, "the NetBIOS name must be 1 to 15 characters in capitals, such as CORP");
  }
  if (!IsDomainSid(domain.sid)) {
    return Wrong(domain, "the SID must be that of a domain, S-1-5-21 and three numbers");
  }
  if (!IsDnsName(domain.forest)) return Wrong(domain, "the forest must be a DNS name, lower case");
  for (const std::string& suffix : domain.upn_suffixes) {
    if (!IsDnsName(suffix)) return Wrong(domain, "UPN suffixes must be DNS names, lower case");
  }
  if (domain.directory == nullptr) return Wrong(domain, "it has no directory");
  return absl::OkStatus();
}

absl::Status Malformed(std::string_view what, std::string_view subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::string(what), std::string(subject.substr(0, kShownMax)));
}

absl::Status Untrusted(std::string_view kind, std::string_view subject) {
  return rpc::MakeError(
      absl::StatusCode::kPermissionDenied, reason::v1::REASON_UNTRUSTED_FOREST,
      fmt::format("no domain that is served here has the {} {}", kind,
                  subject.substr(0, kShownMax)),
      std::string(subject.substr(0, kShownMax)),
      "Use an account of a served domain, or add the account's domain to the configuration of "
      "the service.");
}

}  // namespace

std::string Domain::realm() const { return InCapitals(dns_name); }

absl::StatusOr<std::unique_ptr<Registry>> Registry::Create(std::vector<Domain> domains) {
  std::unique_ptr<Registry> registry(new Registry(std::move(domains)));
  for (const Domain& domain : registry->domains_) DT_RETURN_IF_ERROR(registry->Add(domain));
  return registry;
}

absl::Status Registry::Add(const Domain& domain) {
  DT_RETURN_IF_ERROR(CheckForms(domain));
  const auto add = [&domain](Index& index, std::string key) -> absl::Status {
    const auto [other, added] = index.try_emplace(std::move(key), &domain);
    if (added || other->second == &domain) return absl::OkStatus();
    return Wrong(domain, fmt::format("{} is that of domain \"{}\" already", other->first,
                                     other->second->dns_name));
  };
  DT_RETURN_IF_ERROR(add(by_sid_, domain.sid));
  DT_RETURN_IF_ERROR(add(by_name_, domain.dns_name));
  DT_RETURN_IF_ERROR(add(by_name_, FoldName(domain.netbios_name)));
  DT_RETURN_IF_ERROR(add(by_suffix_, domain.dns_name));
  for (const std::string& suffix : domain.upn_suffixes) {
    DT_RETURN_IF_ERROR(add(by_suffix_, suffix));
  }
  return absl::OkStatus();
}

absl::StatusOr<const Domain*> Registry::FindBySid(std::string_view sid) const {
  if (!SidFromText(sid).ok()) return Malformed("not a security identifier", sid);
  auto found = by_sid_.find(sid);
  if (found == by_sid_.end()) found = by_sid_.find(sid.substr(0, sid.rfind('-')));
  if (found == by_sid_.end()) return Untrusted("SID", sid);
  return found->second;
}

absl::StatusOr<const Domain*> Registry::FindByRealm(std::string_view realm) const {
  // A realm is the domain's DNS name in capitals, which compares without case in Active Directory.
  const auto found = by_name_.find(FoldName(realm));
  if (found == by_name_.end() || !SameName(found->second->dns_name, realm)) {
    return Untrusted("realm", realm);
  }
  return found->second;
}

absl::StatusOr<Principal> Registry::Resolve(std::string_view typed,
                                            std::string_view default_domain) const {
  typed = TrimName(typed);
  if (typed.empty()) return Malformed("the user name is empty", {});
  if (const std::size_t at = typed.rfind('@'); at != typed.npos) {
    return ResolvePrincipal(typed, at);
  }
  const std::size_t backslash = typed.find('\\');
  const bool bare = backslash == typed.npos;
  const std::string_view of = bare ? default_domain : typed.substr(0, backslash);
  const auto found = by_name_.find(FoldName(of));
  if (found == by_name_.end()) return Untrusted("name", of);
  const std::string account(bare ? typed : typed.substr(backslash + 1));
  if (account.empty()) return Malformed("the user name is empty", typed);
  const std::string principal = account + '@' + found->second->dns_name;
  UserName user{.principal = bare ? principal : std::string(),
                .account_name = account,
                .principal_first = false};
  return Principal{found->second, FoldName(principal), std::move(user)};
}

// "ada@SUFFIX", the '@' being at `at`: of a user principal name or, where SUFFIX names the domain
// itself, of an account in it.
absl::StatusOr<Principal> Registry::ResolvePrincipal(std::string_view typed, std::size_t at) const {
  const std::string suffix = FoldName(typed.substr(at + 1));
  const auto by_name = by_name_.find(suffix);
  const auto by_suffix = by_suffix_.find(suffix);
  if (by_name == by_name_.end() && by_suffix == by_suffix_.end()) {
    return Untrusted("UPN suffix", suffix);
  }
  const Domain* const domain = by_suffix != by_suffix_.end() ? by_suffix->second : by_name->second;
  UserName user;
  if (by_suffix != by_suffix_.end()) user.principal = typed;
  const bool names_domain = by_name != by_name_.end() && by_name->second == domain;
  if (names_domain) user.account_name = typed.substr(0, at);
  const std::string name = names_domain
                               ? fmt::format("{}@{}", typed.substr(0, at), domain->dns_name)
                               : std::string(typed);
  return Principal{domain, FoldName(name), std::move(user)};
}

absl::StatusOr<User> Registry::FindUser(std::string_view sid) const {
  DT_ASSIGN_OR_RETURN(const Domain* const domain, FindBySid(sid));
  return domain->directory->FindUserBySid(sid);
}

absl::StatusOr<Group> Registry::FindGroup(std::string_view name_or_sid) const {
  if (SidFromText(name_or_sid).ok()) {
    DT_ASSIGN_OR_RETURN(const Domain* const domain, FindBySid(name_or_sid));
    return domain->directory->FindGroup(name_or_sid);
  }
  absl::Status none = absl::NotFoundError("no domain here has such a group");
  for (const Domain& domain : domains_) {
    absl::StatusOr<Group> group = domain.directory->FindGroup(name_or_sid);
    if (group.ok()) return group;
    if (!absl::IsNotFound(group.status())) none = group.status();
  }
  return none;
}

absl::StatusOr<Computer> Registry::FindComputer(std::string_view sid) const {
  DT_ASSIGN_OR_RETURN(const Domain* const domain, FindBySid(sid));
  return domain->directory->FindComputerBySid(sid);
}

std::vector<absl::StatusOr<Computer>> Registry::FindComputers(
    std::span<const std::string> sids) const {
  struct Asked {
    std::vector<std::string> sids;
    std::vector<std::size_t> places;  // Of them in the answer.
  };
  std::map<const Domain*, Asked> by_domain;
  std::vector<absl::StatusOr<Computer>> computers;
  computers.reserve(sids.size());
  for (std::size_t i = 0; i < sids.size(); ++i) {
    const absl::StatusOr<const Domain*> domain = FindBySid(sids[i]);
    // One with a domain gets its result below.
    computers.emplace_back(domain.ok() ? absl::UnknownError("not looked up") : domain.status());
    if (!domain.ok()) continue;
    Asked& asked = by_domain[*domain];
    asked.sids.push_back(sids[i]);
    asked.places.push_back(i);
  }
  for (const auto& [domain, asked] : by_domain) {
    auto answers = domain->directory->FindComputersBySid(asked.sids);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      computers[asked.places[i]] = std::move(answers[i]);
    }
  }
  return computers;
}

}  // namespace devicetrust::directory
