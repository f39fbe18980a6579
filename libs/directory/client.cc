#include "libs/directory/client.h"

#include <fmt/format.h>
#include <ldap.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "libs/base/bytes.h"
#include "libs/base/coalescer.h"
#include "libs/base/names.h"
#include "libs/directory/connection.h"
#include "libs/directory/entry.h"
#include "libs/directory/escape.h"
#include "libs/directory/pool.h"
#include "libs/directory/sid.h"
#include "libs/directory/verdict.h"

namespace devicetrust::directory {
namespace {

constexpr std::size_t kNameBytesMax = 1024;
constexpr std::size_t kSidsPerSearch = 64;  // Filters have limits on the other side.

// Of users and computers, with the type that tells them apart.
constexpr const char* kAccountAttributes[] = {"sAMAccountType",
                                              "sAMAccountName",
                                              "objectSid",
                                              "userAccountControl",
                                              "primaryGroupID",
                                              "memberOf",
                                              "accountExpires",
                                              "msDS-User-Account-Control-Computed",
                                              "lockoutTime",
                                              "displayName",
                                              "userPrincipalName",
                                              "mail",
                                              "dNSHostName",
                                              "operatingSystem",
                                              "operatingSystemVersion",
                                              nullptr};
constexpr const char* kGroupAttributes[] = {"sAMAccountName", "objectSid", nullptr};
constexpr const char* kTrustAttributes[] = {
    "trustPartner",    "flatName",           "trustType", "trustDirection",
    "trustAttributes", "securityIdentifier", nullptr};
constexpr int kTrustsMax = 500;

// sAMAccountType rather than objectClass: a computer is also of class user.
constexpr std::string_view kUserType = "805306368";
constexpr std::string_view kComputerType = "805306369";

bool IsPlausible(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && text.find('\0') == text.npos;
}

using EntryPtr = std::shared_ptr<const Entry>;

// As if the search had been for accounts of `type` only.
absl::Status CheckType(std::string_view type, std::string_view sid, const Entry& entry) {
  if (FirstOf(entry, "samaccounttype") == type) return absl::OkStatus();
  return absl::NotFoundError(fmt::format("the account with SID {} is of another kind", sid));
}

absl::Status NoAccount(std::string_view condition) {
  return absl::NotFoundError(fmt::format("no account with {}", condition));
}

absl::Status TwoAccounts(std::string_view condition) {
  return absl::InternalError(fmt::format("more than one account with {}", condition));
}

std::string SidCondition(const Bytes& sid) {
  return fmt::format("(objectSid={})", EscapeFilterBytes(sid));
}

absl::StatusOr<Computer> ComputerOfType(std::string_view sid, absl::StatusOr<EntryPtr> found) {
  DT_ASSIGN_OR_RETURN(const EntryPtr entry, std::move(found));
  DT_RETURN_IF_ERROR(CheckType(kComputerType, sid, *entry));
  return ComputerOf(*entry);
}

// Users whom one of the names fits, as a filter.
std::string FilterOf(const UserName& name) {
  std::string filter = fmt::format("(&(sAMAccountType={})(|", kUserType);
  if (!name.principal.empty()) {
    filter += fmt::format("(userPrincipalName={})", EscapeFilterValue(name.principal));
  }
  if (!name.account_name.empty()) {
    filter += fmt::format("(sAMAccountName={})", EscapeFilterValue(name.account_name));
  }
  return filter + "))";
}

// Of the entries that the filter found, the one that is meant. Each of the two names is unique in a
// domain, so that the one name fits one and the other another.
const Entry* Meant(const std::vector<Entry>& entries, const UserName& name) {
  const Entry* other = nullptr;
  for (const Entry& entry : entries) {
    const bool by_principal =
        !name.principal.empty() && SameName(FirstOf(entry, "userprincipalname"), name.principal);
    if (by_principal == name.principal_first) return &entry;
    other = &entry;
  }
  return other;
}

}  // namespace

struct LdapDirectory::State {
  explicit State(Config given)
      : config(std::move(given)),
        base(BaseNameOfDomain(config.domain)),
        checks(config.check_connections_max, [this](SteadyTime d) { return Open(d); }),
        searches(config.search_connections_max, [this](SteadyTime d) { return OpenBound(d); }),
        accounts({.batch_max = kSidsPerSearch},
                 [this](const std::vector<Bytes>& sids, SteadyTime deadline) {
                   return FindEntries(sids, deadline);
                 }) {}

  absl::StatusOr<std::unique_ptr<Connection>> Open(SteadyTime deadline) {
    return Connection::Open(config.url, config.ca_file, watchdog, deadline);
  }
  absl::StatusOr<std::unique_ptr<Connection>> OpenBound(SteadyTime deadline);

  SteadyTime Deadline() const { return std::chrono::steady_clock::now() + config.timeout; }

  // Runs `ask(connection, deadline)` -> StatusOr<T>, once more on a new connection
  // when an old one turned out to be dead.
  template <typename Ask>
  auto Call(Pool& pool, SteadyTime deadline, const Ask& ask)
      -> decltype(ask(std::declval<Connection&>(), SteadyTime())) {
    for (bool fresh = false;; fresh = true) {
      DT_ASSIGN_OR_RETURN(const Pool::Lease lease, pool.Borrow(deadline, fresh));
      auto answer = ask(*lease, deadline);
      const bool late = std::chrono::steady_clock::now() >= deadline;
      if (lease->usable() || lease.fresh() || late) return answer;
    }
  }

  struct Found {
    std::vector<Entry> entries;
    bool all = true;  // False: there are more than the query's `entries_max`.
  };
  // Entries below `base` that match.
  absl::StatusOr<Found> Search(const Query& query, SteadyTime deadline);

  // Users or computers, told apart by `type`.
  using Accounts = Coalescer<Bytes, EntryPtr>;  // By SID.
  std::vector<Accounts::Result> FindEntries(std::span<const Bytes> sids, SteadyTime deadline);
  absl::StatusOr<EntryPtr> FindBySid(std::string_view type, std::string_view sid);

  const Config config;
  const std::string base;
  Watchdog watchdog;  // Before the pools: their connections use it until they are gone.
  Pool checks;
  Pool searches;
  Accounts accounts;
};

absl::StatusOr<std::unique_ptr<Connection>> LdapDirectory::State::OpenBound(SteadyTime deadline) {
  DT_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Open(deadline));
  DT_ASSIGN_OR_RETURN(const Answer answer,
                      connection->Bind(config.bind_name, config.bind_password, deadline));
  DT_ASSIGN_OR_RETURN(const PasswordVerdict verdict, VerdictOfBind(answer.code, answer.diagnostic));
  if (verdict != PasswordVerdict::kAccepted) {
    return absl::FailedPreconditionError(
        fmt::format("directory {} refuses the service account \"{}\": {}; check its name and the"
                    " password file",
                    config.url, config.bind_name, NameOf(verdict)));
  }
  return connection;
}

absl::StatusOr<LdapDirectory::State::Found> LdapDirectory::State::Search(const Query& query,
                                                                         SteadyTime deadline) {
  DT_ASSIGN_OR_RETURN(SearchAnswer answer,
                      Call(searches, deadline, [&query](Connection& connection, SteadyTime until) {
                        return connection.Search(query, until);
                      }));
  const int code = answer.result.code;
  if (code == LDAP_SUCCESS || code == LDAP_SIZELIMIT_EXCEEDED) {
    return Found{std::move(answer.entries), code == LDAP_SUCCESS};
  }
  const std::string what = fmt::format("directory {}, search below \"{}\": {} {}", config.url,
                                       query.base, ldap_err2string(code), answer.result.diagnostic);
  if (code == LDAP_NO_SUCH_OBJECT || code == LDAP_REFERRAL) {
    return absl::FailedPreconditionError(what + "; is the domain name right?");
  }
  if (code == LDAP_INSUFFICIENT_ACCESS || code == LDAP_OPERATIONS_ERROR) {
    return absl::FailedPreconditionError(what + "; may the service account search?");
  }
  return absl::UnavailableError(what);
}

// One search for at most kSidsPerSearch accounts, whatever their kind.
std::vector<LdapDirectory::State::Accounts::Result> LdapDirectory::State::FindEntries(
    std::span<const Bytes> sids, SteadyTime deadline) {
  const std::set<Bytes> wanted(sids.begin(), sids.end());
  std::string filter = "(|";
  for (const Bytes& sid : wanted) filter += SidCondition(sid);
  filter += ')';
  absl::StatusOr<Found> found =
      Search({.base = base,
              .filter = std::move(filter),
              .attributes = kAccountAttributes,
              .entries_max = static_cast<int>(2 * wanted.size())},  // To see doubles.
             deadline);
  if (!found.ok()) return std::vector<Accounts::Result>(sids.size(), found.status());

  std::multimap<std::string, EntryPtr> by_sid;
  for (Entry& entry : found->entries) {
    std::string sid = FirstOf(entry, "objectsid");
    by_sid.emplace(std::move(sid), std::make_shared<const Entry>(std::move(entry)));
  }
  std::vector<Accounts::Result> results;
  results.reserve(sids.size());
  for (const Bytes& sid : sids) {
    const auto [first, last] = by_sid.equal_range(ToString(sid));
    if (first == last) {
      // Cut short by accounts with one SID between them: a fault of the directory.
      results.emplace_back(found->all ? NoAccount(SidCondition(sid))
                                      : TwoAccounts("one of several SIDs"));
    } else if (std::next(first) != last) {
      results.emplace_back(TwoAccounts(SidCondition(sid)));
    } else {
      results.emplace_back(first->second);
    }
  }
  return results;
}

absl::StatusOr<EntryPtr> LdapDirectory::State::FindBySid(std::string_view type,
                                                         std::string_view sid) {
  DT_ASSIGN_OR_RETURN(Bytes binary, SidFromText(sid));
  absl::StatusOr<EntryPtr> entry = accounts.Call(std::move(binary), Deadline());
  if (entry.ok()) {
    DT_RETURN_IF_ERROR(CheckType(type, sid, **entry));
    return entry;
  }
  if (!absl::IsDeadlineExceeded(entry.status()) && !absl::IsResourceExhausted(entry.status())) {
    return entry;
  }
  return absl::UnavailableError(
      fmt::format("directory {} is busy: {}", config.url, std::string(entry.status().message())));
}

LdapDirectory::LdapDirectory(std::unique_ptr<State> state) : state_(std::move(state)) {}
LdapDirectory::~LdapDirectory() = default;

absl::StatusOr<std::unique_ptr<LdapDirectory>> LdapDirectory::Create(Config config) {
  if (!config.url.starts_with("ldaps://") && !config.url.starts_with("ldap://")) {
    return absl::InvalidArgumentError(
        fmt::format("LDAP URL \"{}\" must begin with ldaps:// or ldap://", config.url));
  }
  if (config.ca_file.empty()) return absl::InvalidArgumentError("LDAP CA file is not set");
  if (config.domain.empty()) return absl::InvalidArgumentError("directory domain is not set");
  if (!IsPlausible(config.bind_name) || !IsPlausible(config.bind_password)) {
    return absl::InvalidArgumentError(
        "LDAP service account needs a name and a password of 1 to 512 bytes");
  }
  if (config.timeout <= std::chrono::milliseconds::zero() || config.check_connections_max == 0 ||
      config.search_connections_max == 0) {
    return absl::InvalidArgumentError("LDAP timeout and connection counts must be positive");
  }
  struct sigaction current {};
  if (sigaction(SIGPIPE, nullptr, &current) == 0 && current.sa_handler == SIG_DFL) {
    std::signal(SIGPIPE, SIG_IGN);
  }
  return std::unique_ptr<LdapDirectory>(
      new LdapDirectory(std::make_unique<State>(std::move(config))));
}

absl::StatusOr<PasswordVerdict> LdapDirectory::CheckPassword(std::string_view name,
                                                             std::string_view password) {
  if (!IsPlausible(name) || !IsPlausible(password)) return PasswordVerdict::kWrong;
  const std::string as(name);
  DT_ASSIGN_OR_RETURN(const Answer answer,
                      state_->Call(state_->checks, state_->Deadline(),
                                   [&](Connection& connection, SteadyTime deadline) {
                                     return connection.Bind(as, password, deadline);
                                   }));
  return VerdictOfBind(answer.code, answer.diagnostic);
}

absl::StatusOr<User> LdapDirectory::FindUserByName(const UserName& name) {
  const auto usable = [](const std::string& one) { return one.empty() || IsPlausible(one); };
  if ((name.principal.empty() && name.account_name.empty()) || !usable(name.principal) ||
      !usable(name.account_name)) {
    return NoAccount("such a name");
  }
  DT_ASSIGN_OR_RETURN(const State::Found found, state_->Search({.base = state_->base,
                                                                .filter = FilterOf(name),
                                                                .attributes = kAccountAttributes,
                                                                .entries_max = 4},
                                                               state_->Deadline()));
  const Entry* const meant = Meant(found.entries, name);
  if (meant == nullptr) return NoAccount("such a name");
  return UserOf(*meant);
}

absl::StatusOr<Group> LdapDirectory::FindGroup(std::string_view name_or_sid) {
  if (!IsPlausible(name_or_sid)) return NoAccount("such a name");
  const absl::StatusOr<Bytes> binary = SidFromText(name_or_sid);
  const std::string condition =
      binary.ok() ? SidCondition(*binary)
                  : fmt::format("(sAMAccountName={})", EscapeFilterValue(name_or_sid));
  DT_ASSIGN_OR_RETURN(const State::Found found,
                      state_->Search({.base = state_->base,
                                      .filter = fmt::format("(&(objectClass=group){})", condition),
                                      .attributes = kGroupAttributes},
                                     state_->Deadline()));
  if (found.entries.empty()) return NoAccount("such a name or SID");
  if (found.entries.size() > 1 || !found.all) return TwoAccounts(condition);
  const Entry& entry = found.entries.front();
  Group group{entry.distinguished_name, FirstOf(entry, "samaccountname"), {}};
  DT_ASSIGN_OR_RETURN(group.sid, SidToText(AsBytes(FirstOf(entry, "objectsid"))));
  return group;
}

absl::StatusOr<std::vector<Trust>> LdapDirectory::ListTrusts() {
  DT_ASSIGN_OR_RETURN(const State::Found found,
                      state_->Search({.base = state_->base,
                                      .filter = "(objectClass=trustedDomain)",
                                      .attributes = kTrustAttributes,
                                      .entries_max = kTrustsMax},
                                     state_->Deadline()));
  if (!found.all) {
    return absl::UnavailableError(
        fmt::format("directory {} has more than {} trusts", state_->config.url, kTrustsMax));
  }
  std::vector<Trust> trusts;
  for (const Entry& entry : found.entries) {
    DT_ASSIGN_OR_RETURN(std::optional<Trust> trust, TrustOf(entry));
    if (trust) trusts.push_back(*std::move(trust));
  }
  return trusts;
}

absl::StatusOr<User> LdapDirectory::FindUserBySid(std::string_view sid) {
  DT_ASSIGN_OR_RETURN(const EntryPtr entry, state_->FindBySid(kUserType, sid));
  return UserOf(*entry);
}

absl::StatusOr<Computer> LdapDirectory::FindComputerBySid(std::string_view sid) {
  DT_ASSIGN_OR_RETURN(const EntryPtr entry, state_->FindBySid(kComputerType, sid));
  return ComputerOf(*entry);
}

std::vector<absl::StatusOr<Computer>> LdapDirectory::FindComputersBySid(
    std::span<const std::string> sids) {
  const SteadyTime deadline = state_->Deadline();
  std::vector<absl::StatusOr<Computer>> computers;
  computers.reserve(sids.size());
  std::vector<Bytes> asked;
  std::vector<std::size_t> places;  // Of those that are SIDs.
  for (std::size_t i = 0; i < sids.size(); ++i) {
    absl::StatusOr<Bytes> binary = SidFromText(sids[i]);
    // One that is a SID gets its result below.
    computers.emplace_back(binary.ok() ? absl::UnknownError("not looked up") : binary.status());
    if (!binary.ok()) continue;
    asked.push_back(*std::move(binary));
    places.push_back(i);
  }
  for (std::size_t begin = 0; begin < asked.size(); begin += kSidsPerSearch) {
    const auto part =
        std::span(asked).subspan(begin, std::min(kSidsPerSearch, asked.size() - begin));
    auto entries = state_->FindEntries(part, deadline);
    for (std::size_t i = 0; i < part.size(); ++i) {
      const std::size_t place = places[begin + i];
      computers[place] = ComputerOfType(sids[place], std::move(entries[i]));
    }
  }
  return computers;
}

}  // namespace devicetrust::directory
