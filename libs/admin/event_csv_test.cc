#include "libs/admin/event_csv.h"

#include <gtest/gtest.h>

namespace devicetrust::admin {
namespace {

org::v1::Event CsvEvent() {
  org::v1::Event event;
  event.set_id("ca/e1");
  event.set_type("pki.cert.revoke");
  event.mutable_at()->set_seconds(1'780'300'800);
  event.set_writer("ca");
  event.set_sequence(7);
  event.mutable_client()->add_zones("office");
  event.mutable_client()->add_zones("vpn");
  org::v1::Target& target = *event.add_targets();
  target.set_type("User");
  target.set_id("u1");
  target.set_display_name("Ada, \"the first\"");
  event.mutable_outcome()->set_result(org::v1::EventOutcome::RESULT_SUCCESS);
  (*event.mutable_debug_data())["b"] = "2";
  (*event.mutable_debug_data())["a"] = "1";
  return event;
}

TEST(EventCsvTest, HasAColumnForEachHeading) {
  const std::string header = EventCsvHeader();
  EXPECT_TRUE(header.starts_with("published,eventType,"));
  EXPECT_EQ(EventCsvLine(CsvEvent()),
            "2026-06-01T08:00:00Z,pki.cert.revoke,,SUCCESS,,,,,,office; vpn,,,,,"
            "\"User u1 (Ada, \"\"the first\"\")\",,a=1; b=2,ca,ca/e1,7\r\n");
  EXPECT_EQ(std::ranges::count(header, ','), 19);
}

TEST(EventCsvTest, NoCellIsAFormulaOrALineEnd) {
  org::v1::Event event = CsvEvent();
  for (const char* name : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"}) {
    event.mutable_actor()->set_display_name(name);
    const std::string line = EventCsvLine(event);
    EXPECT_NE(line.find(",'"), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("\r\n"), line.size() - 2) << line;
  }
  event.mutable_actor()->set_display_name("a\r\nb\u202e");
  EXPECT_NE(EventCsvLine(event).find("a\\u000d\\u000ab\\u202e"), std::string::npos)
      << EventCsvLine(event);
}

}  // namespace
}  // namespace devicetrust::admin
