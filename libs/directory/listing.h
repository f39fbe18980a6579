// Reading all people and groups of a domain, or what has changed since, from one domain controller.
//
// What has changed is found by uSNChanged, which whoever may search may ask for. It counts the
// changes of one domain controller alone ([MS-ADTS] 3.1.1.1.9), so that a number means nothing to
// another one, nor to the same one after it was restored: then its invocation id is another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "libs/directory/directory.h"

namespace devicetrust::directory {

// GUIDs are the 16 octets of objectGUID: what stays of an account that is renamed or moved.
struct ListedPerson : User {
  std::string guid;
  std::string given_name;
  std::string surname;
};

struct ListedGroup : Group {
  std::string guid;
  bool security = false;               // Else a distribution list, of which no token tells.
  bool builtin = false;                // Administrators, Users: of the domain controller itself.
  std::vector<std::string> member_of;  // Distinguished names of the groups that it is in directly.
};

// The domain controller that answers.
struct Replica {
  std::string name;           // Its DNS name, or the URL.
  std::string invocation_id;  // 16 octets.
  std::uint64_t highest_usn = 0;
  bool shows_deleted = false;  // The account that asks may list what is deleted.
};

// One reading, over one connection. Calls block: each for at most a page's time-out, but for as
// many pages as there are. What a search gives is whole, or the call fails:
//   kUnavailable         no answer, an answer cut short, pages or referrals without end, "busy";
//   kFailedPrecondition  the directory refuses our way of asking;
//   kNotFound            there is no such base.
// Messages name the server and what was asked.
class ListingPass {
 public:
  virtual ~ListingPass() = default;

  virtual const Replica& replica() const = 0;

  // Calls `take` for each user account below `base` that has changed since, that number included;
  // 0: each. An error of `take` ends the call with it. "" is the whole domain.
  using TakePerson = std::function<absl::Status(ListedPerson)>;
  virtual absl::Status People(const std::string& base, std::uint64_t since,
                              const TakePerson& take) = 0;
  // The same of those who have these SIDs; who has none of them there is left out.
  virtual absl::Status PeopleBySid(std::span<const std::string> sids, const TakePerson& take) = 0;
  virtual absl::StatusOr<std::vector<ListedGroup>> Groups(std::uint64_t since) = 0;
  // GUIDs of what was deleted since.
  virtual absl::StatusOr<std::vector<std::string>> Deleted(std::uint64_t since) = 0;
  // GUIDs of accounts and groups that are in a group directly.
  virtual absl::StatusOr<std::vector<std::string>> MembersOf(const std::string& group_dn) = 0;
  // The distinguished name as the directory writes it.
  virtual absl::StatusOr<std::string> NameOf(const std::string& base) = 0;
};

// Thread-safe. It outlives its passes.
class Listing {
 public:
  virtual ~Listing() = default;
  virtual absl::StatusOr<std::unique_ptr<ListingPass>> Begin() = 0;
};

struct Config;  // client.h

// kInvalidArgument as LdapDirectory::Create().
absl::StatusOr<std::unique_ptr<Listing>> MakeLdapListing(Config config);

}  // namespace devicetrust::directory
