// A System Log in memory, and events for it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "libs/rpc/timestamps.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "policy-engine/log/system_log_service.h"
#include "policy-engine/migrations.h"

namespace devicetrust::policy {

inline constexpr WallTime kLogBegin{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

class SystemLogFixture : public ::testing::Test {
 protected:
  using Event = org::v1::Event;

  static Event NewEvent(const std::string& id, const std::string& type, int second,
                        const std::string& user = "ada", const std::string& device = "d1") {
    Event event;
    event.set_id(id);
    event.set_type(type);
    *event.mutable_at() = rpc::ToTimestamp(kLogBegin + std::chrono::seconds(second));
    event.mutable_actor()->set_type("User");
    event.mutable_actor()->set_id("id-" + user);
    event.mutable_actor()->set_display_name(user + "@corp.test");
    (*event.mutable_debug_data())["device_id"] = device;
    return event;
  }
  static rpc::Caller Component(const std::string& name, const std::string& role) {
    return {rpc::Caller::Kind::kComponent, name, role, "acme"};
  }
  void Append(const std::vector<Event>& events) { DT_ASSERT_OK(log_.Append(TheOrg(), events)); }
  static std::string OwnId(const Event& event) {
    EXPECT_TRUE(event.id().starts_with(event.writer() + "/")) << event.id();
    return event.id().substr(event.writer().size() + 1);
  }
  // The writers' own ids, newest first.
  std::string Found(const org::v1::EventFilter& filter) {
    std::string ids;
    const SystemLog::Page page = log_.Search(filter, 0, 100).value();
    for (const Event& event : page.events) ids += OwnId(event) + " ";
    return ids;
  }
  std::string Found(const std::string& expression) {
    org::v1::EventFilter filter;
    filter.set_expression(expression);
    return Found(filter);
  }

  std::unique_ptr<db::Database> database_ =
      db::Database::Open("sqlite::memory:", LogMigrations()).value();
  testing::SettableClock clock_{kLogBegin};
  SystemLog log_{*database_, clock_};
  SystemRandom random_;
  const pki::AeadKey kek_ = pki::AeadKey::Create("kek-1", Bytes(pki::kAeadKeyBytes, 7)).value();
  std::unique_ptr<LogHeads> heads_ =
      LogHeads::Create(*database_, kek_, "acme", clock_, random_).value();
  SystemLogService service_{log_, *heads_};
};

}  // namespace devicetrust::policy
