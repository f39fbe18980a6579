// Who and what a run simulates: people, their computers, phones and Macs. A pure function of
// its seed and size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "simulator/forest/forest_spec.h"

namespace devicetrust::simulator {

enum class DeviceKind { kDomainWindows, kUnmanagedWindows, kIphone, kAndroid, kMac };

std::string_view DeviceKindName(DeviceKind kind);  // "domain-joined Windows"

struct FleetUser {
  std::size_t domain = 0;    // Index in Fleet::domains; that of the user's device, too.
  std::string account_name;  // "user9"
  std::string principal;     // "user9@corp.test"
  std::string given_name;
  std::string surname;
  std::string display_name;
  std::string email;
  std::string password;
  Bytes totp_secret;  // 20 bytes; empty: no second factor.
  std::vector<std::string> groups;
};

struct FleetDevice {
  DeviceKind kind = DeviceKind::kDomainWindows;
  std::string computer_name;     // "PC0042$" in the domain; empty for the others.
  std::string operating_system;  // As the directory has it; empty for the others.
  std::string operating_system_version;
  std::string user_agent;  // As its browser sends it.
  std::size_t user = 0;    // Index of its user: everybody has exactly one device.
};

struct FleetSpec {
  std::uint64_t seed = 7;
  std::size_t devices = 1000;  // 1 to 100,000.
  double domain_joined = 80;   // Percent; one at least.
  double unmanaged = 8;        // Percent, Windows outside of the domain; the rest: phones and Macs.
  std::vector<ForestSpec> forests = DefaultForests();
  std::vector<TrustSpec> trusts = {};  // Between them.
  bool one_without_factor = false;     // user2 has no second factor.
};

struct Fleet {
  std::vector<ForestSpec> forests;
  std::vector<TrustSpec> trusts;
  std::vector<DomainSpec> domains;  // Of all forests, in their order.
  std::vector<std::string> groups;  // In each domain.
  std::vector<FleetUser> users;
  std::vector<FleetDevice> devices;  // Domain-joined ones first.
  std::size_t domain_joined = 0;

  const DomainSpec& DomainOf(const FleetUser& user) const { return domains[user.domain]; }
  // For Kerberos: "user9@CORP.TEST", "PC0009$@CORP.TEST".
  std::string PrincipalOf(const FleetUser& user) const;
  std::string PrincipalOf(const FleetDevice& device) const;
};

// Users take turns among the domains, and their devices with them. user1 has a name with '&', '<'
// and an accent. Names, mix and secrets follow from the seed.
Fleet MakeFleet(const FleetSpec& spec);

}  // namespace devicetrust::simulator
