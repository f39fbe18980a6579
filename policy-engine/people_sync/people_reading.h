// What a reading of a directory makes of the picture that there was.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "libs/base/status.h"
#include "libs/directory/listing.h"
#include "policy-engine/people_sync/picture.h"

namespace devicetrust::policy {

// Whose people are the org's.
struct PeopleScope {
  std::string domain = {};  // DNS name.
  std::string domain_sid = {};
  std::string prefix = {};  // Of the names of its groups: Memberships.
  std::string base = {};    // Accounts below; "": of the whole domain.
  std::string group = {};   // Account name: those who are in it, through other groups too; "": all.
};

// Names as the directory has them.
struct PersonProfile {
  std::string principal;
  std::string account_name;
  std::string display_name;
  std::string email;
  std::string given_name;
  std::string surname;
};
std::string DigestOf(const PersonProfile& profile);  // 16 octets.

struct PeopleReading {
  Picture picture;  // At first as it was; `replaced` says who has changed. `applied` stays.
  // By GUID: whoever is new to the org or has another digest than before.
  std::unordered_map<std::string, PersonProfile> profiles = {};
};

// After an error the picture is of no use any more. Errors of both: those of the pass, and
//   kFailedPrecondition  the directory shows what cannot be: accounts of another domain, nobody at
//                        all where there were people, no such group.
absl::Status ReadEverybody(directory::ListingPass& pass, const PeopleScope& scope,
                           PeopleReading& reading);
// kOutOfRange: changes alone do not tell; read everybody, into the same picture.
absl::Status ReadChanges(directory::ListingPass& pass, const PeopleScope& scope,
                         std::uint64_t since, PeopleReading& reading);

// Adds the profiles of people, by GUID and SID, whom a change of a group has brought.
absl::Status ReadProfiles(directory::ListingPass& pass, const PeopleScope& scope,
                          const std::unordered_map<std::string, std::string>& sids,
                          PeopleReading& reading);

// The group of the scope; null: it names none.
absl::StatusOr<const PicturedGroup*> GroupOfScope(const PeopleScope& scope, const Picture& picture);

}  // namespace devicetrust::policy
