// A directory whose accounts are those that a test puts into it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/names.h"
#include "libs/directory/registry.h"

namespace devicetrust::testing {

class FakeDirectory final : public directory::Directory {
 public:
  using PasswordCheck = std::function<absl::StatusOr<directory::PasswordVerdict>(
      std::string_view name, std::string_view password)>;

  absl::StatusOr<directory::PasswordVerdict> CheckPassword(std::string_view principal,
                                                           std::string_view password) override {
    if (!fault.ok()) return fault;
    if (check_password) return check_password(principal, password);
    const auto found = passwords.find(principal);
    const bool right = found != passwords.end() && found->second == password;
    return right ? directory::PasswordVerdict::kAccepted : directory::PasswordVerdict::kWrong;
  }
  absl::StatusOr<directory::User> FindUserByName(const directory::UserName& name) override {
    if (!fault.ok()) return fault;
    const directory::User* found = nullptr;
    for (const auto& [sid, user] : users) {
      const bool by_principal = !name.principal.empty() && SameName(user.principal, name.principal);
      if (!by_principal &&
          (name.account_name.empty() || !SameName(user.account_name, name.account_name))) {
        continue;
      }
      if (found == nullptr || by_principal == name.principal_first) found = &user;
    }
    if (found == nullptr) return absl::NotFoundError("no such user");
    return *found;
  }
  absl::StatusOr<directory::Group> FindGroup(std::string_view name_or_sid) override {
    if (!fault.ok()) return fault;
    for (const auto& [sid, group] : groups) {
      if (sid == name_or_sid || SameName(group.name, name_or_sid)) return group;
    }
    return absl::NotFoundError("no such group");
  }
  absl::StatusOr<directory::User> FindUserBySid(std::string_view sid) override {
    ++user_searches;
    return Find(users, sid);
  }
  absl::StatusOr<directory::Computer> FindComputerBySid(std::string_view sid) override {
    return Find(computers, sid);
  }
  std::vector<absl::StatusOr<directory::Computer>> FindComputersBySid(
      std::span<const std::string> sids) override {
    ++searches;
    sids_asked.assign(sids.begin(), sids.end());
    std::vector<absl::StatusOr<directory::Computer>> found;
    for (const std::string& sid : sids) found.push_back(Find(computers, sid));
    return found;
  }
  absl::StatusOr<std::vector<directory::Trust>> ListTrusts() override {
    if (!fault.ok()) return fault;
    return trusts;
  }

  absl::Status fault;                                         // Not OK: what every call ends with.
  PasswordCheck check_password;                               // Instead of `passwords`.
  std::map<std::string, std::string, std::less<>> passwords;  // By principal.
  std::map<std::string, directory::User, std::less<>> users;  // By SID.
  std::map<std::string, directory::Computer, std::less<>> computers;
  std::map<std::string, directory::Group, std::less<>> groups;  // By SID.
  std::vector<directory::Trust> trusts;
  int searches = 0;                     // Calls of FindComputersBySid().
  int user_searches = 0;                // Calls of FindUserBySid().
  std::vector<std::string> sids_asked;  // By the last of them.

 private:
  template <typename Account>
  absl::StatusOr<Account> Find(const std::map<std::string, Account, std::less<>>& accounts,
                               std::string_view sid) const {
    if (!fault.ok()) return fault;
    const auto found = accounts.find(sid);
    if (found == accounts.end()) return absl::NotFoundError("no such account");
    return found->second;
  }
};

// A domain of that name whose directory is a FakeDirectory, at `*fake` as long as it lives.
inline directory::Domain NewFakeDomain(const std::string& dns_name, const std::string& netbios_name,
                                       const std::string& sid, FakeDirectory** fake) {
  auto directory = std::make_unique<FakeDirectory>();
  *fake = directory.get();
  return {dns_name, netbios_name, sid, dns_name, {}, std::move(directory)};
}

}  // namespace devicetrust::testing
