// A small forest for the tests of this folder, with one account of each kind.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "libs/testing/settable_clock.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/seeded_random.h"
#include "simulator/forest/account_table.h"

namespace devicetrust::simulator {

struct TestForest {
  TestForest() {
    table = AccountTable::Create(folder / "accounts", 2000, clock, random).value();
    realm = table->AddRealm({"CORP.TEST", "CORP", std::array<std::uint32_t, 3>{1, 2, 3}}).value();
    staff_rid = table->AddGroup(realm, "Staff").value();
    trusted_rid = table->AddGroup(realm, "Trusted Devices").value();
    Add({.name = "ada",
         .password = "Pw-ada",
         .group_rids = {staff_rid, trusted_rid},
         .display_name = "Ada Lovelace",
         .given_name = "Ada",
         .surname = "Lovelace",
         .mail = "ada@corp.test",
         .ou = "Staff"});
    Add({.name = "odd", .password = "Pw-odd", .display_name = "O'Neill, (Odd) * & <Co>"});
    Add({.name = "svc-ldap", .password = "Pw-svc"});
    Add({.name = "nopw"});
    Add({.kind = AccountKind::kComputer,
         .name = "PC1$",
         .operating_system = "Windows 10 Enterprise",
         .operating_system_version = "10.0 (19045)"});
    Add({.kind = AccountKind::kService, .name = "HTTP/iwa.corp.test"});
  }
  TestForest(const TestForest&) = delete;
  TestForest& operator=(const TestForest&) = delete;

  void Add(const NewAccount& account) { EXPECT_TRUE(table->Add(realm, {&account, 1}).ok()); }
  void Set(std::string_view name, AccountFlag flag, bool on = true) {
    EXPECT_TRUE(table->SetFlag(realm, name, flag, on).ok());
  }

  std::string SidOf(std::string_view name) const {
    const AccountView& view = table->view();
    return Sid(view.realms()[realm], view.Read(view.FindName(realm, name).value()).account.rid);
  }

  static constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
  testing::TempFolder folder;
  testing::SettableClock clock{kNow};
  throwaway::SeededRandom random{7};
  std::unique_ptr<AccountTable> table;
  std::uint32_t realm = 0;
  std::uint32_t staff_rid = 0;
  std::uint32_t trusted_rid = 0;
};

}  // namespace devicetrust::simulator
