#include "libs/kerberos/pac.h"

#include <gtest/gtest.h>

#include "libs/base/encoding.h"
#include "libs/testing/status.h"
#include "libs/throwaway/seeded_random.h"

namespace devicetrust::kerberos {
namespace {

LogonInfo Ada() {
  LogonInfo info;
  info.name = "ada";
  info.full_name = "Ada L\u00f6velace \U0001F511";
  info.server = "DC1";
  info.domain = "CORP";
  info.rid = 1104;
  info.primary_group_rid = 513;
  info.user_account_control = 0x10;
  info.domain_sid = {5, {21, 1, 2, 3}};
  info.group_rids = {513, 1200, 1201};
  info.extra_sids = {{18, {1}}, {5, {21, 9, 9, 9, 519}}};
  info.resource_domain_sid = {5, {21, 7, 7, 7}};
  info.resource_group_rids = {1300};
  return info;
}

TEST(PacTest, WhatIsWrittenIsRead) {
  const auto info = DecodeLogonInfo(EncodeLogonInfo(Ada()));
  DT_ASSERT_OK(info);
  EXPECT_EQ(info->name, "ada");
  EXPECT_EQ(info->full_name, "Ada L\u00f6velace \U0001F511");
  EXPECT_EQ(info->domain, "CORP");
  EXPECT_EQ(info->domain_sid.Child(info->rid).ToString(), "S-1-5-21-1-2-3-1104");
  EXPECT_EQ(info->group_rids, Ada().group_rids);
  EXPECT_EQ(info->extra_sids, Ada().extra_sids);
  EXPECT_EQ(info->resource_domain_sid, Ada().resource_domain_sid);
  EXPECT_EQ(info->resource_group_rids, Ada().resource_group_rids);
}

TEST(PacTest, EmptyListsAreFine) {
  LogonInfo info;
  info.domain_sid = {5, {21, 1, 2, 3}};
  const auto read = DecodeLogonInfo(EncodeLogonInfo(info));
  DT_ASSERT_OK(read);
  EXPECT_TRUE(read->group_rids.empty());
  EXPECT_TRUE(read->extra_sids.empty());
  EXPECT_EQ(read->name, "");
}

TEST(PacTest, EveryTruncationIsRefused) {
  const Bytes whole = EncodeLogonInfo(Ada());
  for (std::size_t size = 0; size + 8 < whole.size(); ++size) {
    DT_EXPECT_CODE(DecodeLogonInfo({whole.data(), size}), kInvalidArgument) << size;
  }
  Bytes longer = whole;
  longer.resize(longer.size() + 8);
  DT_EXPECT_CODE(DecodeLogonInfo(longer), kInvalidArgument);
  longer.resize(kLogonInfoBytesMax + 8);
  DT_EXPECT_CODE(DecodeLogonInfo(longer), kInvalidArgument);
}

// Lengths and counts that claim more than is there must neither crash nor take memory.
TEST(PacTest, HostileBytesAreRefusedOrRead) {
  const Bytes whole = EncodeLogonInfo(Ada());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      Bytes changed = whole;
      changed[i] = static_cast<std::uint8_t>(value);
      const auto info = DecodeLogonInfo(changed);
      if (info.ok()) {
        EXPECT_LE(info->group_rids.size(), kLogonGroupsMax);
        EXPECT_LE(info->extra_sids.size(), kLogonGroupsMax);
      }
    }
  }
  throwaway::SeededRandom random(3);
  for (int i = 0; i < 20'000; ++i) {
    Bytes garbage = whole;
    DT_ASSERT_OK(random.Fill(std::span(garbage).subspan(16 + static_cast<std::size_t>(i) % 400)));
    (void)DecodeLogonInfo(garbage);
  }
}

}  // namespace
}  // namespace devicetrust::kerberos
