#include "simulator/devices/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <random>

#include "libs/base/check.h"

namespace devicetrust::simulator {
namespace {

using Engine = std::mt19937_64;  // The same numbers from the same seed on every platform.

constexpr std::array kGivenNames = {
    "Ada",   "Grace", "Alan",  "Edsger", "Barbara",   "Donald",  "Frances",  "Ken",
    "Radia", "Vint",  "Hedy",  "Claude", "Katherine", "Niklaus", "Sophie",   "Whitfield",
    "Shafi", "Ralph", "Adele", "Tony",   "Karen",     "Leslie",  "Margaret", "John"};
constexpr std::array kSurnames = {
    "Lovelace",   "Hopper", "Turing",   "Dijkstra", "Liskov",  "Knuth",   "Allen",    "Thompson",
    "Perlman",    "Cerf",   "Lamarr",   "Shannon",  "Johnson", "Wirth",   "Wilson",   "Diffie",
    "Goldwasser", "Merkle", "Goldberg", "Hoare",    "Jones",   "Lamport", "Hamilton", "Backus"};
constexpr std::array kGroups = {"Engineering", "Finance", "Sales", "Support", "Operations"};

constexpr std::array kWindowsAgents = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/125.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"};
constexpr std::array kIphoneAgents = {
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_7_8 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1"};
constexpr std::array kAndroidAgents = {
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/125.0.6422.165 Mobile Safari/537.36"};
constexpr std::array kMacAgents = {
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"};

struct WindowsRelease {
  const char* name;
  const char* version;
};
constexpr std::array kWindowsReleases = {WindowsRelease{"Windows 10 Enterprise", "10.0 (19045)"},
                                         WindowsRelease{"Windows 10 Pro", "10.0 (19044)"},
                                         WindowsRelease{"Windows 8.1 Enterprise", "6.3 (9600)"}};

// Modulo, because the standard's distributions may differ between libraries.
template <typename List>
const auto& Pick(const List& list, Engine& engine) {
  return list[static_cast<std::size_t>(engine() % list.size())];
}

// std::shuffle, were it the same everywhere.
void Shuffle(std::vector<std::string>& list, Engine& engine) {
  for (std::size_t i = list.size(); i > 1; --i) {
    std::swap(list[i - 1], list[static_cast<std::size_t>(engine() % i)]);
  }
}

// "Kq7-u2m": no character that is easily mistaken, or means something to a shell, a URL or XML.
std::string Password(Engine& engine) {
  constexpr std::string_view kUpper = "ABCDEFGHJKLMNPQRSTUVWXYZ";
  constexpr std::string_view kLower = "abcdefghijkmnpqrstuvwxyz";
  constexpr std::string_view kDigits = "23456789";
  constexpr std::string_view kAny = "abcdefghijkmnpqrstuvwxyz23456789";
  std::string password;
  for (const std::string_view set : {kUpper, kLower, kDigits}) password += Pick(set, engine);
  password += '-';
  for (const std::string_view set : {kLower, kDigits, kLower, kAny}) password += Pick(set, engine);
  return password;
}

// "", " A.", …, " Z.", " A. A.", …: what tells the second Ada Lovelace from the first. The
// directory allows no two of one name in a folder.
std::string MiddleInitials(std::size_t generation) {
  std::string initials;
  for (; generation > 0; generation = (generation - 1) / 26) {
    initials = fmt::format(" {}.{}", static_cast<char>('A' + (generation - 1) % 26), initials);
  }
  return initials;
}

struct Names {
  std::vector<std::string> given{kGivenNames.begin(), kGivenNames.end()};
  std::vector<std::string> surnames{kSurnames.begin(), kSurnames.end()};
};

FleetUser MakeUser(std::size_t index, const Names& names, const std::vector<DomainSpec>& domains,
                   Engine& engine) {
  FleetUser user;
  user.domain = index % domains.size();
  user.account_name = fmt::format("user{}", index);
  user.principal = user.account_name + "@" + domains[user.domain].dns_name;
  const std::size_t round = index / names.given.size();
  user.given_name = names.given[index % names.given.size()];
  user.surname = names.surnames[(index + round) % names.surnames.size()];
  if (index == 1) {
    user.given_name = "Zoë";
    user.surname = "<Q&A> Müller";
  }
  user.display_name =
      user.given_name + MiddleInitials(round / names.surnames.size()) + " " + user.surname;
  user.email = user.principal;
  user.password = Password(engine);
  user.totp_secret.resize(20);
  for (std::uint8_t& byte : user.totp_secret) byte = static_cast<std::uint8_t>(engine());
  user.groups = {"Staff", Pick(kGroups, engine)};
  return user;
}

FleetDevice MakeDevice(DeviceKind kind, std::size_t index, Engine& engine) {
  FleetDevice device;
  device.kind = kind;
  device.user = index;
  switch (kind) {
    case DeviceKind::kDomainWindows: {
      const WindowsRelease& release = Pick(kWindowsReleases, engine);
      device.computer_name = fmt::format("PC{:04}$", index);
      device.operating_system = release.name;
      device.operating_system_version = release.version;
      device.user_agent = Pick(kWindowsAgents, engine);
      break;
    }
    case DeviceKind::kUnmanagedWindows:
      device.user_agent = Pick(kWindowsAgents, engine);
      break;
    case DeviceKind::kIphone:
      device.user_agent = Pick(kIphoneAgents, engine);
      break;
    case DeviceKind::kAndroid:
      device.user_agent = Pick(kAndroidAgents, engine);
      break;
    case DeviceKind::kMac:
      device.user_agent = Pick(kMacAgents, engine);
      break;
  }
  return device;
}

DeviceKind KindOf(std::size_t index, std::size_t domain_joined, std::size_t unmanaged) {
  if (index < domain_joined) return DeviceKind::kDomainWindows;
  if (index < domain_joined + unmanaged) return DeviceKind::kUnmanagedWindows;
  constexpr std::array kOthers = {DeviceKind::kIphone, DeviceKind::kAndroid, DeviceKind::kMac};
  return kOthers[index % kOthers.size()];
}

}  // namespace

std::string_view DeviceKindName(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kDomainWindows:
      return "domain-joined Windows";
    case DeviceKind::kUnmanagedWindows:
      return "unmanaged Windows";
    case DeviceKind::kIphone:
      return "iPhone";
    case DeviceKind::kAndroid:
      return "Android phone";
    case DeviceKind::kMac:
      return "Mac";
  }
  return "";
}

std::string Fleet::PrincipalOf(const FleetUser& user) const {
  return user.account_name + "@" + DomainOf(user).realm();
}

std::string Fleet::PrincipalOf(const FleetDevice& device) const {
  return device.computer_name + "@" + DomainOf(users[device.user]).realm();
}

Fleet MakeFleet(const FleetSpec& spec) {
  Engine engine(spec.seed);
  Fleet fleet;
  fleet.forests = spec.forests;
  fleet.trusts = spec.trusts;
  for (const ForestSpec& forest : spec.forests) {
    fleet.domains.insert(fleet.domains.end(), forest.domains.begin(), forest.domains.end());
  }
  DT_CHECK(!fleet.domains.empty());
  fleet.groups = {"Staff"};
  fleet.groups.insert(fleet.groups.end(), kGroups.begin(), kGroups.end());

  Names names;
  Shuffle(names.given, engine);
  Shuffle(names.surnames, engine);

  const auto share = [&spec](double percent) {
    return static_cast<double>(spec.devices) * percent / 100;
  };
  fleet.domain_joined = std::clamp<std::size_t>(
      static_cast<std::size_t>(share(spec.domain_joined) + 1e-6), 1, spec.devices);
  const std::size_t unmanaged =
      std::min(spec.devices - fleet.domain_joined,
               static_cast<std::size_t>(std::ceil(share(spec.unmanaged) - 1e-6)));
  for (std::size_t i = 0; i < spec.devices; ++i) {
    fleet.users.push_back(MakeUser(i, names, fleet.domains, engine));
    fleet.devices.push_back(MakeDevice(KindOf(i, fleet.domain_joined, unmanaged), i, engine));
  }
  if (spec.one_without_factor && fleet.users.size() > 2) fleet.users[2].totp_secret.clear();
  return fleet;
}

}  // namespace devicetrust::simulator
