#include "libs/directory/listing.h"

#include <fmt/format.h>
#include <ldap.h>

#include <charconv>
#include <utility>

#include "libs/base/bytes.h"
#include "libs/directory/client.h"
#include "libs/directory/connection.h"
#include "libs/directory/entry.h"
#include "libs/directory/escape.h"
#include "libs/directory/sid.h"
#include "libs/directory/verdict.h"

namespace devicetrust::directory {
namespace {

// Of one reading in all; a forest of millions takes minutes.
constexpr std::chrono::minutes kPassMax{30};
constexpr std::size_t kEmptyPagesMax = 3;  // One after the other.
constexpr std::size_t kEntriesMax = 5'000'000;
constexpr std::size_t kSidsPerFilter = 64;

constexpr const char* kRootAttributes[] = {"dsServiceName", "highestCommittedUSN", "dnsHostName",
                                           nullptr};
constexpr const char* kServiceAttributes[] = {"invocationId", nullptr};
constexpr const char* kListedPersonAttributes[] = {"objectGUID",
                                                   "objectSid",
                                                   "sAMAccountName",
                                                   "userPrincipalName",
                                                   "displayName",
                                                   "mail",
                                                   "givenName",
                                                   "sn",
                                                   "userAccountControl",
                                                   "accountExpires",
                                                   "primaryGroupID",
                                                   "memberOf",
                                                   nullptr};
constexpr const char* kListedGroupAttributes[] = {"objectGUID", "objectSid", "sAMAccountName",
                                                  "groupType",  "memberOf",  nullptr};
constexpr const char* kGuidAttribute[] = {"objectGUID", nullptr};
constexpr const char* kNoAttribute[] = {LDAP_NO_ATTRS, nullptr};

// sAMAccountType of users; a computer is of class user, too.
constexpr std::string_view kPeople = "(sAMAccountType=805306368)";
constexpr std::string_view kGroups = "(objectCategory=group)";

std::string Since(std::string_view condition, std::uint64_t usn) {
  if (usn == 0) return std::string(condition);
  return fmt::format("(&{}(uSNChanged>={}))", condition, usn);
}

class Pass final : public ListingPass {
 public:
  Pass(const Config& config, Watchdog& watchdog)
      : config_(config),
        watchdog_(watchdog),
        domain_(BaseNameOfDomain(config.domain)),
        end_(std::chrono::steady_clock::now() + kPassMax) {}

  absl::Status Open();

  const Replica& replica() const override { return replica_; }
  absl::Status People(const std::string& base, std::uint64_t since,
                      const TakePerson& take) override;
  absl::Status PeopleBySid(std::span<const std::string> sids, const TakePerson& take) override;
  absl::StatusOr<std::vector<ListedGroup>> Groups(std::uint64_t since) override;
  absl::StatusOr<std::vector<std::string>> Deleted(std::uint64_t since) override;
  absl::StatusOr<std::vector<std::string>> MembersOf(const std::string& group_dn) override;
  absl::StatusOr<std::string> NameOf(const std::string& base) override;

 private:
  SteadyTime Deadline() const {
    return std::min(end_, std::chrono::steady_clock::now() + config_.page_timeout);
  }
  absl::Status TakePeople(const std::string& base, std::string filter, const TakePerson& take);
  absl::Status CheckResult(const Answer& result, std::string_view what) const;
  // Every entry that matches, page after page.
  using Take = std::function<absl::Status(Entry&)>;
  absl::Status List(PageQuery query, std::string_view what, const Take& take);
  absl::StatusOr<Entry> ReadOne(const std::string& base, std::span<const char* const> attributes,
                                std::string_view what, bool deleted = false);
  absl::StatusOr<std::vector<std::string>> ListGuids(PageQuery query, std::string_view what);
  // Asks for the values that an entry does not have because there are so many.
  absl::Status Complete(Entry& entry, std::string_view attribute);

  const Config& config_;
  Watchdog& watchdog_;
  const std::string domain_;
  const SteadyTime end_;
  std::unique_ptr<Connection> connection_;
  Replica replica_;
};

absl::Status Pass::Open() {
  DT_ASSIGN_OR_RETURN(connection_,
                      Connection::Open(config_.url, config_.ca_file, watchdog_, Deadline()));
  DT_ASSIGN_OR_RETURN(const Answer bound,
                      connection_->Bind(config_.bind_name, config_.bind_password, Deadline()));
  DT_ASSIGN_OR_RETURN(const PasswordVerdict verdict, VerdictOfBind(bound.code, bound.diagnostic));
  if (verdict != PasswordVerdict::kAccepted) {
    return absl::FailedPreconditionError(
        fmt::format("directory {} refuses the service account \"{}\": {}; check its name and the"
                    " password file",
                    config_.url, config_.bind_name, directory::NameOf(verdict)));
  }
  DT_ASSIGN_OR_RETURN(const Entry root, ReadOne("", kRootAttributes, "the root"));
  replica_.name = FirstOf(root, "dnshostname");
  if (replica_.name.empty()) replica_.name = config_.url;
  const std::string usn = FirstOf(root, "highestcommittedusn");
  std::from_chars(usn.data(), usn.data() + usn.size(), replica_.highest_usn);
  const std::string service = FirstOf(root, "dsservicename");
  if (replica_.highest_usn == 0 || service.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("directory {} has no highestCommittedUSN or dsServiceName: it is no domain"
                    " controller of Active Directory",
                    config_.url));
  }
  DT_ASSIGN_OR_RETURN(const Entry controller,
                      ReadOne(service, kServiceAttributes, "the domain controller"));
  replica_.invocation_id = FirstOf(controller, "invocationid");
  if (replica_.invocation_id.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("directory {} does not show invocationId of \"{}\": may the service account"
                    " read it?",
                    config_.url, service));
  }
  // [MS-ADTS] 6.1.1.4: the container of what is deleted, by its well-known GUID.
  const std::string container =
      fmt::format("<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,{}>", domain_);
  // Samba shows that it is there to whoever asks, and what it is only to those who may list it.
  const absl::StatusOr<Entry> deleted =
      ReadOne(container, kGuidAttribute, "what is deleted", /*deleted=*/true);
  replica_.shows_deleted = deleted.ok() && GuidOf(*deleted).ok();
  return absl::OkStatus();
}

absl::Status Pass::CheckResult(const Answer& result, std::string_view what) const {
  if (result.code == LDAP_SUCCESS) return absl::OkStatus();
  const std::string message = fmt::format("directory {}, listing {}: {} {}", config_.url, what,
                                          ldap_err2string(result.code), result.diagnostic);
  switch (result.code) {
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX:
      return absl::NotFoundError(message + "; is the base's name right?");
    case LDAP_REFERRAL:
      return absl::FailedPreconditionError(
          message + "; it refers elsewhere: give the URL of a domain controller of this domain");
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_OPERATIONS_ERROR:
      return absl::FailedPreconditionError(message + "; may the service account search?");
    case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
      return absl::FailedPreconditionError(message + "; it gives no lists in pages (RFC 2696)");
    default:
      return absl::UnavailableError(message);
  }
}

absl::Status Pass::List(PageQuery query, std::string_view what, const Take& take) {
  std::size_t empty = 0;
  std::size_t entries = 0;
  for (;;) {
    if (std::chrono::steady_clock::now() >= end_) {
      return absl::UnavailableError(fmt::format("directory {}, listing {}: no end after {} minutes",
                                                config_.url, what, kPassMax.count()));
    }
    DT_ASSIGN_OR_RETURN(Page page, connection_->SearchPage(query, Deadline()));
    DT_RETURN_IF_ERROR(CheckResult(page.result, what));
    for (Entry& entry : page.entries) DT_RETURN_IF_ERROR(take(entry));
    if (page.cookie.empty()) return absl::OkStatus();
    empty = page.entries.empty() ? empty + 1 : 0;
    entries += page.entries.size();
    if (empty > kEmptyPagesMax || entries > kEntriesMax) {
      return absl::UnavailableError(
          fmt::format("directory {}, listing {}: pages without end; is it a domain controller, and"
                      " well?",
                      config_.url, what));
    }
    query.cookie = std::move(page.cookie);
  }
}

absl::StatusOr<Entry> Pass::ReadOne(const std::string& base,
                                    std::span<const char* const> attributes, std::string_view what,
                                    bool deleted) {
  DT_ASSIGN_OR_RETURN(Page page, connection_->SearchPage({.base = base,
                                                          .base_only = true,
                                                          .filter = "(objectClass=*)",
                                                          .attributes = attributes,
                                                          .deleted = deleted,
                                                          .cookie = {}},
                                                         Deadline()));
  DT_RETURN_IF_ERROR(CheckResult(page.result, what));
  if (page.entries.size() == 1) return std::move(page.entries.front());
  return absl::NotFoundError(
      fmt::format("directory {} does not show {}, \"{}\"; may the service"
                  " account read it?",
                  config_.url, what, base));
}

absl::Status Pass::Complete(Entry& entry, std::string_view attribute) {
  DT_ASSIGN_OR_RETURN(std::optional<ValueRange> range, RangeOf(entry, attribute));
  if (!range) return absl::OkStatus();
  std::vector<std::string> values = std::move(entry.attributes[range->name]);
  while (range->next != 0) {
    const std::string wanted = fmt::format("{};range={}-*", attribute, range->next);
    const char* const attributes[] = {wanted.c_str(), nullptr};
    DT_ASSIGN_OR_RETURN(Entry more, ReadOne(entry.distinguished_name, attributes, "memberships"));
    const std::size_t before = range->next;
    DT_ASSIGN_OR_RETURN(range, RangeOf(more, attribute));
    if (!range) break;  // They have become fewer meanwhile: there is a newer change to read.
    if (range->next != 0 && range->next <= before) {
      return absl::UnavailableError(fmt::format("directory {} repeats values of \"{}\"",
                                                config_.url, entry.distinguished_name));
    }
    std::vector<std::string>& part = more.attributes[range->name];
    std::move(part.begin(), part.end(), std::back_inserter(values));
  }
  entry.attributes[std::string(attribute)] = std::move(values);
  return absl::OkStatus();
}

absl::Status Pass::TakePeople(const std::string& base, std::string filter, const TakePerson& take) {
  const auto take_entry = [&](Entry& entry) -> absl::Status {
    DT_RETURN_IF_ERROR(Complete(entry, "memberof"));
    DT_ASSIGN_OR_RETURN(ListedPerson person, ListedPersonOf(entry));
    return take(std::move(person));
  };
  return List({.base = base,
               .filter = std::move(filter),
               .attributes = kListedPersonAttributes,
               .cookie = {}},
              fmt::format("people below \"{}\"", base), take_entry);
}

absl::Status Pass::People(const std::string& base, std::uint64_t since, const TakePerson& take) {
  return TakePeople(base.empty() ? domain_ : base, Since(kPeople, since), take);
}

absl::Status Pass::PeopleBySid(std::span<const std::string> sids, const TakePerson& take) {
  for (std::size_t begin = 0; begin < sids.size(); begin += kSidsPerFilter) {
    std::string filter = fmt::format("(&{}(|", kPeople);
    for (const std::string& sid :
         sids.subspan(begin, std::min(kSidsPerFilter, sids.size() - begin))) {
      DT_ASSIGN_OR_RETURN(const Bytes binary, SidFromText(sid));
      filter += fmt::format("(objectSid={})", EscapeFilterBytes(binary));
    }
    DT_RETURN_IF_ERROR(TakePeople(domain_, filter + "))", take));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ListedGroup>> Pass::Groups(std::uint64_t since) {
  std::vector<ListedGroup> groups;
  const auto take_entry = [&](Entry& entry) -> absl::Status {
    DT_RETURN_IF_ERROR(Complete(entry, "memberof"));
    DT_ASSIGN_OR_RETURN(ListedGroup group, ListedGroupOf(entry));
    groups.push_back(std::move(group));
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(List({.base = domain_,
                           .filter = Since(kGroups, since),
                           .attributes = kListedGroupAttributes,
                           .cookie = {}},
                          "groups", take_entry));
  return groups;
}

absl::StatusOr<std::vector<std::string>> Pass::ListGuids(PageQuery query, std::string_view what) {
  query.attributes = kGuidAttribute;
  std::vector<std::string> guids;
  const auto take_entry = [&guids](const Entry& entry) -> absl::Status {
    DT_ASSIGN_OR_RETURN(std::string guid, GuidOf(entry));
    guids.push_back(std::move(guid));
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(List(std::move(query), what, take_entry));
  return guids;
}

absl::StatusOr<std::vector<std::string>> Pass::Deleted(std::uint64_t since) {
  return ListGuids({.base = domain_,
                    .filter = Since("(isDeleted=TRUE)", since),
                    .attributes = {},
                    .deleted = true,
                    .cookie = {}},
                   "what is deleted");
}

absl::StatusOr<std::vector<std::string>> Pass::MembersOf(const std::string& group_dn) {
  return ListGuids({.base = domain_,
                    .filter = fmt::format("(memberOf={})", EscapeFilterValue(group_dn)),
                    .attributes = {},
                    .cookie = {}},
                   fmt::format("members of \"{}\"", group_dn));
}

absl::StatusOr<std::string> Pass::NameOf(const std::string& base) {
  DT_ASSIGN_OR_RETURN(Entry entry, ReadOne(base, kNoAttribute, "the base"));
  return std::move(entry.distinguished_name);
}

class LdapListing final : public Listing {
 public:
  explicit LdapListing(Config config) : config_(std::move(config)) {}

  absl::StatusOr<std::unique_ptr<ListingPass>> Begin() override {
    auto pass = std::make_unique<Pass>(config_, watchdog_);
    DT_RETURN_IF_ERROR(pass->Open());
    return pass;
  }

 private:
  const Config config_;
  Watchdog watchdog_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Listing>> MakeLdapListing(Config config) {
  DT_RETURN_IF_ERROR(LdapDirectory::Create(config).status());  // The same checks.
  return std::make_unique<LdapListing>(std::move(config));
}

}  // namespace devicetrust::directory
