#include "libs/directory/entry.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "libs/base/bytes.h"
#include "libs/directory/sid.h"

namespace devicetrust::directory {
namespace {

constexpr std::uint32_t kAccountDisable = 0x2;  // userAccountControl, [MS-ADTS] 2.2.16.
constexpr std::uint32_t kLockout = 0x10;

// groupType, [MS-ADTS] 2.2.12.
constexpr std::uint32_t kBuiltinGroup = 0x1;
constexpr std::uint32_t kSecurityGroup = 0x8000'0000;
constexpr std::size_t kGuidBytes = 16;

// Of a trustedDomain, [MS-ADTS] 6.1.6.7.
constexpr std::int64_t kTrustInbound = 0x1;
constexpr std::int64_t kTrustOutbound = 0x2;
constexpr std::int64_t kTrustTypeUplevel = 2;
constexpr std::int64_t kTrustForestTransitive = 0x8;
constexpr std::int64_t kTrustWithinForest = 0x20;

std::uint64_t NumberOf(const Entry& entry, std::string_view name) {
  const std::string text = FirstOf(entry, name);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::optional<std::int64_t> SignedOf(const Entry& entry, std::string_view name) {
  const std::string text = FirstOf(entry, name);
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// lockoutTime stays when the lock has ended; whether it has, the directory alone computes, from the
// policy that is in force for the account ([MS-ADTS] 3.1.1.4.5.17). Never in userAccountControl.
bool IsLocked(const Entry& entry) {
  constexpr std::string_view kComputed = "msds-user-account-control-computed";
  if (ValuesOf(entry, kComputed) != nullptr) return (NumberOf(entry, kComputed) & kLockout) != 0;
  return NumberOf(entry, "lockouttime") != 0;
}

// Windows counts 100 ns since 1601; 0 and 2^63 - 1 mean never ([MS-ADA1] 2.2). False: it is no
// number.
bool ReadExpiry(const Entry& entry, std::optional<WallTime>& expires_at) {
  constexpr std::int64_t kNever = 0x7fff'ffff'ffff'ffff;
  constexpr std::int64_t kSecondsTo1970 = 11'644'473'600;
  if (ValuesOf(entry, "accountexpires") == nullptr) return true;
  const std::optional<std::int64_t> ticks = SignedOf(entry, "accountexpires");
  if (!ticks || *ticks < 0) return false;
  if (*ticks != 0 && *ticks != kNever) {
    expires_at = AtUnixSeconds(*ticks / 10'000'000 - kSecondsTo1970);
  }
  return true;
}

absl::Status FillAccount(const Entry& entry, Account& account) {
  account.distinguished_name = entry.distinguished_name;
  account.account_name = FirstOf(entry, "samaccountname");
  absl::StatusOr<std::string> sid = SidToText(AsBytes(FirstOf(entry, "objectsid")));
  const std::optional<std::int64_t> control = SignedOf(entry, "useraccountcontrol");
  if (!sid.ok() || !control || account.account_name.empty() ||
      !ReadExpiry(entry, account.expires_at)) {
    return absl::InternalError(
        fmt::format("directory entry {} lacks objectSid, sAMAccountName or userAccountControl: may"
                    " the service account read them?",
                    entry.distinguished_name));
  }
  account.sid = *std::move(sid);
  account.enabled = (static_cast<std::uint32_t>(*control) & kAccountDisable) == 0;
  account.locked = IsLocked(entry);
  account.primary_group_id = static_cast<std::uint32_t>(NumberOf(entry, "primarygroupid"));
  if (const auto* groups = ValuesOf(entry, "memberof"); groups != nullptr) {
    account.member_of = *groups;
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>* ValuesOf(const Entry& entry, std::string_view name) {
  const auto found = entry.attributes.find(name);
  return found == entry.attributes.end() || found->second.empty() ? nullptr : &found->second;
}

std::string FirstOf(const Entry& entry, std::string_view name) {
  const auto* values = ValuesOf(entry, name);
  return values == nullptr ? std::string() : values->front();
}

absl::StatusOr<User> UserOf(const Entry& entry) {
  User user;
  DT_RETURN_IF_ERROR(FillAccount(entry, user));
  user.principal = FirstOf(entry, "userprincipalname");
  user.display_name = FirstOf(entry, "displayname");
  user.mail = FirstOf(entry, "mail");
  return user;
}

absl::StatusOr<Computer> ComputerOf(const Entry& entry) {
  Computer computer;
  DT_RETURN_IF_ERROR(FillAccount(entry, computer));
  computer.dns_host_name = FirstOf(entry, "dnshostname");
  computer.operating_system = FirstOf(entry, "operatingsystem");
  computer.operating_system_version = FirstOf(entry, "operatingsystemversion");
  return computer;
}

absl::StatusOr<std::optional<Trust>> TrustOf(const Entry& entry) {
  const std::optional<std::int64_t> type = SignedOf(entry, "trusttype");
  const std::optional<std::int64_t> direction = SignedOf(entry, "trustdirection");
  const std::optional<std::int64_t> attributes = SignedOf(entry, "trustattributes");
  Trust trust;
  trust.partner = FirstOf(entry, "trustpartner");
  if (!type || !direction || !attributes || trust.partner.empty()) {
    return absl::InternalError(
        fmt::format("directory entry {} lacks trustPartner, trustType, trustDirection or"
                    " trustAttributes: may the service account read them?",
                    entry.distinguished_name));
  }
  if (*type != kTrustTypeUplevel) return std::optional<Trust>();
  trust.netbios_name = FirstOf(entry, "flatname");
  if (const std::string sid = FirstOf(entry, "securityidentifier"); !sid.empty()) {
    DT_ASSIGN_OR_RETURN(trust.sid, SidToText(AsBytes(sid)));
  }
  trust.outbound = (*direction & kTrustOutbound) != 0;
  trust.inbound = (*direction & kTrustInbound) != 0;
  trust.forest_transitive = (*attributes & kTrustForestTransitive) != 0;
  trust.within_forest = (*attributes & kTrustWithinForest) != 0;
  return std::optional<Trust>(std::move(trust));
}

absl::StatusOr<std::string> GuidOf(const Entry& entry) {
  std::string guid = FirstOf(entry, "objectguid");
  if (guid.size() == kGuidBytes) return guid;
  return absl::InternalError(
      fmt::format("directory entry {} lacks objectGUID: may the service"
                  " account read it?",
                  entry.distinguished_name));
}

absl::StatusOr<ListedPerson> ListedPersonOf(const Entry& entry) {
  DT_ASSIGN_OR_RETURN(User user, UserOf(entry));
  ListedPerson person{std::move(user), {}, {}, {}};
  DT_ASSIGN_OR_RETURN(person.guid, GuidOf(entry));
  person.given_name = FirstOf(entry, "givenname");
  person.surname = FirstOf(entry, "sn");
  return person;
}

absl::StatusOr<ListedGroup> ListedGroupOf(const Entry& entry) {
  ListedGroup group;
  group.distinguished_name = entry.distinguished_name;
  group.name = FirstOf(entry, "samaccountname");
  DT_ASSIGN_OR_RETURN(group.guid, GuidOf(entry));
  absl::StatusOr<std::string> sid = SidToText(AsBytes(FirstOf(entry, "objectsid")));
  const auto type = SignedOf(entry, "grouptype");
  if (!sid.ok() || !type || group.name.empty()) {
    return absl::InternalError(
        fmt::format("directory entry {} lacks objectSid, sAMAccountName or groupType: may the"
                    " service account read them?",
                    entry.distinguished_name));
  }
  group.sid = *std::move(sid);
  const auto bits = static_cast<std::uint32_t>(*type);  // A negative number when bit 31 is set.
  group.security = (bits & kSecurityGroup) != 0;
  group.builtin = (bits & kBuiltinGroup) != 0;
  if (const auto* groups = ValuesOf(entry, "memberof"); groups != nullptr) {
    group.member_of = *groups;
  }
  return group;
}

absl::StatusOr<std::optional<ValueRange>> RangeOf(const Entry& entry, std::string_view attribute) {
  const std::string begin = fmt::format("{};range=", attribute);
  const auto found = entry.attributes.lower_bound(begin);
  if (found == entry.attributes.end() || !found->first.starts_with(begin)) {
    return std::optional<ValueRange>();
  }
  const std::string_view range = std::string_view(found->first).substr(begin.size());
  const char* const end = range.data() + range.size();
  std::size_t first = 0;
  const auto [dash, error] = std::from_chars(range.data(), end, first);
  const auto malformed = [&] {
    return absl::InternalError(fmt::format("directory entry {} has a malformed range \"{}\"",
                                           entry.distinguished_name, found->first));
  };
  if (error != std::errc() || dash == end || *dash != '-') return malformed();
  ValueRange part{found->first, 0};
  if (std::string_view(dash + 1, end) == "*") return std::optional(std::move(part));
  std::size_t last = 0;
  const auto [stop, bad] = std::from_chars(dash + 1, end, last);
  constexpr std::size_t kValuesMax = 10'000'000;
  if (bad != std::errc() || stop != end || last < first || last >= kValuesMax) return malformed();
  part.next = last + 1;
  return std::optional(std::move(part));
}

}  // namespace devicetrust::directory
