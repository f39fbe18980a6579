// The sync over a real store and a directory that is a map, for the tests of this folder.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy-engine/people_sync/people_sync.h"
#include "policy-engine/users/user_admin_fixture.h"

namespace devicetrust::policy {

// A domain controller: what it has, and when each thing changed.
struct FakeController {
  struct Person {
    directory::ListedPerson person;
    std::uint64_t usn = 0;
  };
  struct Group {
    directory::ListedGroup group;
    std::uint64_t usn = 0;
  };

  static std::string Guid(int rid) { return fmt::format("guid{:012}", rid); }
  static std::string Dn(const std::string& name) {
    return fmt::format("CN={},OU=People,DC=corp,DC=test", name);
  }

  directory::ListedPerson& Add(const std::string& name, int rid,
                               std::vector<std::string> member_of = {}) {
    Person& added = people[name];
    added.usn = ++usn;
    directory::ListedPerson& person = added.person;
    person.guid = Guid(rid);
    person.sid = "S-1-5-21-1-2-3-" + std::to_string(rid);
    person.distinguished_name = Dn(name);
    person.account_name = name;
    person.principal = name + "@corp.test";
    person.enabled = true;
    person.primary_group_id = 513;
    for (const std::string& group : member_of) Join(name, group);
    return person;
  }
  directory::ListedGroup& AddGroup(const std::string& name, int rid) {
    Group& added = groups[name];
    added.usn = ++usn;
    added.group.guid = Guid(rid);
    added.group.sid = "S-1-5-21-1-2-3-" + std::to_string(rid);
    added.group.name = name;
    added.group.distinguished_name = Dn(name);
    added.group.security = true;
    return added.group;
  }
  // As in Active Directory, the group's number grows and the member's does not.
  void Join(const std::string& member, const std::string& group) {
    MembersOf(member).push_back(groups.at(group).group.distinguished_name);
    groups.at(group).usn = ++usn;
  }
  void Part(const std::string& member, const std::string& group) {
    std::erase(MembersOf(member), groups.at(group).group.distinguished_name);
    groups.at(group).usn = ++usn;
  }
  directory::ListedPerson& Change(const std::string& name) {
    people.at(name).usn = ++usn;
    return people.at(name).person;
  }
  void Remove(const std::string& name) {
    const auto found = people.find(name);
    deleted[found->second.person.guid] = ++usn;
    people.erase(found);
  }
  std::vector<std::string>& MembersOf(const std::string& member) {
    const auto group = groups.find(member);
    return group == groups.end() ? people.at(member).person.member_of
                                 : group->second.group.member_of;
  }

  std::map<std::string, Person> people;
  std::map<std::string, Group> groups;
  std::map<std::string, std::uint64_t> deleted;  // By GUID.
  std::uint64_t usn = 100;
  std::string invocation_id = "0123456789abcdef";
  bool shows_deleted = true;
  absl::Status fault;        // Of a listing of people, after half of them.
  absl::Status begin_fault;  // Of each pass.
  int everybody = 0;         // Readings of everybody so far.
  int changes = 0;
};

class FakeListing final : public directory::Listing {
 public:
  explicit FakeListing(FakeController& controller) : controller_(controller) {}

  absl::StatusOr<std::unique_ptr<directory::ListingPass>> Begin() override {
    if (!controller_.begin_fault.ok()) return controller_.begin_fault;
    return std::make_unique<Pass>(controller_);
  }

 private:
  class Pass final : public directory::ListingPass {
   public:
    explicit Pass(FakeController& controller)
        : controller_(controller),
          replica_{"dc1.corp.test", controller.invocation_id, controller.usn,
                   controller.shows_deleted} {}

    const directory::Replica& replica() const override { return replica_; }
    absl::Status People(const std::string& base, std::uint64_t since,
                        const TakePerson& take) override {
      ++(since == 0 ? controller_.everybody : controller_.changes);
      std::size_t left = controller_.people.size() / 2;
      for (const auto& [name, one] : controller_.people) {
        if (!controller_.fault.ok() && left-- == 0) return controller_.fault;
        if (one.usn < since || !one.person.distinguished_name.ends_with(base)) continue;
        DT_RETURN_IF_ERROR(take(one.person));
      }
      return controller_.fault;
    }
    absl::Status PeopleBySid(std::span<const std::string> sids, const TakePerson& take) override {
      for (const auto& [name, one] : controller_.people) {
        if (std::ranges::find(sids, one.person.sid) == sids.end()) continue;
        DT_RETURN_IF_ERROR(take(one.person));
      }
      return absl::OkStatus();
    }
    absl::StatusOr<std::vector<directory::ListedGroup>> Groups(std::uint64_t since) override {
      std::vector<directory::ListedGroup> groups;
      for (const auto& [name, one] : controller_.groups) {
        if (one.usn >= since) groups.push_back(one.group);
      }
      return groups;
    }
    absl::StatusOr<std::vector<std::string>> Deleted(std::uint64_t since) override {
      std::vector<std::string> guids;
      for (const auto& [guid, usn] : controller_.deleted) {
        if (usn >= since) guids.push_back(guid);
      }
      return guids;
    }
    absl::StatusOr<std::vector<std::string>> MembersOf(const std::string& dn) override {
      std::vector<std::string> guids;
      const auto add = [&](const auto& one) {
        if (std::ranges::find(one.member_of, dn) != one.member_of.end()) guids.push_back(one.guid);
      };
      for (const auto& [name, one] : controller_.people) add(one.person);
      for (const auto& [name, one] : controller_.groups) add(one.group);
      return guids;
    }
    absl::StatusOr<std::string> NameOf(const std::string& base) override { return base; }

   private:
    FakeController& controller_;
    const directory::Replica replica_;
  };

  FakeController& controller_;
};

class PeopleSyncTest : public UserAdminTest {
 protected:
  PeopleSyncTest() {
    controller_.AddGroup("Domain Users", 513);
    controller_.AddGroup("Staff", 600);
    controller_.AddGroup("Everybody", 601);
    Begin();
  }
  ~PeopleSyncTest() override { sync_.reset(); }

  PeopleSync::Domain DomainOf(PeopleScope scope = {}) {
    scope.domain = "corp.test";
    scope.domain_sid = "S-1-5-21-1-2-3";
    return {std::move(scope), std::make_unique<FakeListing>(controller_), limits_};
  }
  // As the service starts; once more: as it starts again.
  void Begin(PeopleScope scope = {}) {
    sync_.reset();
    std::vector<PeopleSync::Domain> domains;
    domains.push_back(DomainOf(std::move(scope)));
    sync_ =
        std::make_unique<PeopleSync>(PeopleSync::Parts{*database_, *events_, *revoker_, clock_,
                                                       random_, [this] { users_->NoteChange(); }},
                                     std::move(domains));
  }
  absl::Status Pass(bool everybody = false) { return sync_->RunPass("corp.test", everybody); }
  org::v1::PeopleSyncStatus Status() { return sync_->Get().domains(0); }

  // The user who has the SID; none: an empty one.
  org::v1::User UserOf(int rid) {
    org::v1::GetUserRequest request;
    request.set_sid("S-1-5-21-1-2-3-" + std::to_string(rid));
    const auto found = users_->Get(request);
    return found.ok() ? found->user() : org::v1::User();
  }
  static std::vector<std::string> GroupsOf(const org::v1::User& user) {
    return {user.groups().begin(), user.groups().end()};
  }
  void AddMany(int count, int first_rid = 2000) {
    for (int i = 0; i < count; ++i)
      controller_.Add(fmt::format("user{}", i), first_rid + i, {"Staff"});
  }

  FakeController controller_;
  PeopleSyncLimits limits_;
  std::unique_ptr<PeopleSync> sync_;
};

}  // namespace devicetrust::policy
