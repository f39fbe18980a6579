// The domains of Active Directory that a service knows, each with its directory, and which of
// them a SID, a realm or a typed name belongs to.
//
// A name is never guessed: "CORP" is the NetBIOS name that the configuration gives a domain,
// not the first label of its DNS name. What belongs to no domain here is refused.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/directory/directory.h"

namespace devicetrust::directory {

struct Domain {
  std::string dns_name;      // "corp.test", lower case.
  std::string netbios_name;  // "CORP", capitals.
  std::string sid;           // "S-1-5-21-1-2-3": what the SIDs of its accounts begin with.
  std::string forest;        // DNS name of the forest's root domain; of the same forest the same.
  // What else may stand behind the '@' of its users' principals, lower case.
  std::vector<std::string> upn_suffixes;
  std::unique_ptr<Directory> directory;

  std::string realm() const;  // Of Kerberos: "CORP.TEST".
};

// A name that a person typed, and the domain that it speaks of. Whose it is, the domain's directory
// says: one person has many such names, and one name may fit two people.
struct Principal {
  const Domain* domain = nullptr;  // Of the registry.
  std::string name;  // "ada@corp.test", folded (libs/base/names.h): to tell names apart.
  UserName user;     // For Directory::FindUserByName().
};

// Constant after Create(), so thread-safe; its directories are. Refusals carry a reason
// (libs/rpc/error.h):
//   kPermissionDenied  UNTRUSTED_FOREST: no domain here has that SID, realm or name;
//   kInvalidArgument   MALFORMED_REQUEST: not a SID of a domain's account, or an empty name.
class Registry {
 public:
  // `domains` may be empty: then everything is refused. kInvalidArgument names the domain and
  // what is wrong with it: a form, or a name, suffix or SID that another one has.
  static absl::StatusOr<std::unique_ptr<Registry>> Create(std::vector<Domain> domains);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // In the order of Create().
  std::span<const Domain> domains() const { return domains_; }

  // Of an account, group or domain: "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3".
  absl::StatusOr<const Domain*> FindBySid(std::string_view sid) const;
  absl::StatusOr<const Domain*> FindByRealm(std::string_view realm) const;  // "CORP.TEST".

  // Whom a person means by "ada@corp.test" (by UPN suffix, or account and domain, as Active
  // Directory reads it), "CORP\ada" or "corp.test\ada" (account of a domain), or "ada": of
  // `default_domain`, a DNS name. Names compare without case, blanks around them do not count.
  absl::StatusOr<Principal> Resolve(std::string_view typed, std::string_view default_domain) const;

  // The account in the directory of its domain; errors as Directory, too.
  absl::StatusOr<User> FindUser(std::string_view sid) const;
  // Of whichever domain knows it, in their order: a group's name alone does not say. kNotFound:
  // none does. kUnavailable: one that might does not answer.
  absl::StatusOr<Group> FindGroup(std::string_view name_or_sid) const;
  absl::StatusOr<Computer> FindComputer(std::string_view sid) const;
  // A result for each of `sids`, in their order; every domain is asked once.
  std::vector<absl::StatusOr<Computer>> FindComputers(std::span<const std::string> sids) const;

 private:
  using Index = std::map<std::string, const Domain*, std::less<>>;

  explicit Registry(std::vector<Domain> domains) : domains_(std::move(domains)) {}
  absl::Status Add(const Domain& domain);
  absl::StatusOr<Principal> ResolvePrincipal(std::string_view typed, std::size_t at) const;

  const std::vector<Domain> domains_;
  // Written by Create() alone. Keys are folded names, and SIDs as they are.
  Index by_sid_, by_suffix_, by_name_;
};

}  // namespace devicetrust::directory
