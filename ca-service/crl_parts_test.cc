// Lists of parts, and delta lists: what there is beside the complete list of an issuer.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "ca-service/crl_fixture.h"

namespace devicetrust::ca {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST_F(CrlPartsTest, ACertificateNamesItsPartAndThePartListsItAlone) {
  crl_shards_ = {.first_after = 2, .certificates_each = 3};
  Open();
  std::vector<StoredCertificate> issued;
  for (int i = 0; i < 9; ++i) issued.push_back(EnrollNew());
  const std::vector<std::int64_t> expected = {0, 0, 1, 1, 1, 2, 2, 2, 3};
  for (std::size_t i = 0; i < issued.size(); ++i) {
    EXPECT_EQ(issued[i].crl_shard, expected[i]) << i;
    const std::string id = expected[i] == 0 ? IssuerId() : ShardListId(IssuerId(), expected[i]);
    EXPECT_TRUE(Names(issued[i], "http://ca.test" + CrlPath(id))) << i;
  }
  for (const std::size_t i : {0, 3, 5}) Revoke(issued[i].serial);
  EXPECT_EQ(List(IssuerId())->revoked.size(), 3U);  // All of them, and no part.
  EXPECT_TRUE(List(IssuerId())->part_urls.empty());
  for (const std::int64_t shard : {1, 2, 3}) {
    const auto list = List(ShardListId(IssuerId(), shard)).value();
    EXPECT_EQ(list.part_urls,
              std::vector{"http://ca.test" + CrlPath(ShardListId(IssuerId(), shard))});
    EXPECT_EQ(list.revoked.size(), shard == 3 ? 0U : 1U);
    EXPECT_GT(list.next_update, clock_.Now());
  }
  EXPECT_EQ(Serials(*List(ShardListId(IssuerId(), 1))), std::set{issued[3].serial});
  EXPECT_FALSE(List(ShardListId(IssuerId(), 4)));

  Open();  // The third part goes on, and lists grow on.
  const auto first = List(ShardListId(IssuerId(), 1)).value();
  EXPECT_EQ(Serials(first), std::set{issued[3].serial});
  EXPECT_EQ(EnrollNew().crl_shard, 3);
  Revoke(issued[4].serial);
  const auto second = List(ShardListId(IssuerId(), 1)).value();
  EXPECT_EQ(second.revoked.size(), 2U);
  EXPECT_GT(second.number, first.number);
  EXPECT_EQ(second.this_update, first.this_update + seconds(1));
}

// Certificates of a part keep naming the address that its list says.
TEST_F(CrlPartsTest, ANewPublicAddressBeginsANewPart) {
  CrlShards shards(*database_, clock_, {.first_after = 0, .certificates_each = 100});
  const auto first = shards.Next(IssuerId(), "http://a.test").value();
  EXPECT_EQ(shards.Next(IssuerId(), "http://a.test").value().number, first.number);
  const auto second = shards.Next(IssuerId(), "http://b.test").value();
  EXPECT_EQ(second.number, first.number + 1);
  EXPECT_EQ(List(ShardListId(IssuerId(), first.number))->part_urls, std::vector{first.url});
  EXPECT_EQ(List(ShardListId(IssuerId(), second.number))->part_urls, std::vector{second.url});
}

// Others write all the time; lists wait for their turn like each of them.
TEST_F(CrlPartsTest, ListsComeInTimeWhileTheStoreIsBusy) {
  std::vector<StoredCertificate> issued;
  for (int i = 0; i < 5; ++i) issued.push_back(EnrollNew());
  std::atomic<bool> enough{false};
  std::vector<std::jthread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&, i] {
      for (int n = 0; !enough; ++n) {
        DT_EXPECT_OK(database_->Write([&](db::Transaction& txn) -> absl::Status {
          for (int row = 0; row < 200; ++row) {
            const std::string id = std::to_string(i) + "/" + std::to_string(n * 200 + row);
            DT_RETURN_IF_ERROR(CertificateStore(txn).SpendEvidence({id, "k", 4'000'000'000}, id));
          }
          return absl::OkStatus();
        }));
      }
    });
  }
  for (std::size_t i = 0; i < issued.size(); ++i) {
    Revoke(issued[i].serial);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(List(IssuerId())->revoked.size(), i + 1);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2));
  }
  enough = true;
}

TEST_F(CrlPartsTest, SmallListsHaveNoDeltaAndNameNone) {
  Revoke(EnrollNew().serial);
  EXPECT_EQ(List(IssuerId())->delta_url, "");
  EXPECT_FALSE(List(DeltaListId(IssuerId())));
}

TEST_F(CrlPartsTest, ADeltaTellsWhatChangedSinceItsBase) {
  crl_large_ = 5;
  Open();
  std::vector<StoredCertificate> issued;
  for (int i = 0; i < 8; ++i) issued.push_back(EnrollNew());
  Revoke(issued[0].serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  for (const std::size_t i : {1, 2, 3, 6, 7}) Revoke(issued[i].serial);
  Open();  // The complete list that is made now is the base.
  const auto base = List(IssuerId()).value();
  EXPECT_EQ(base.revoked.size(), 6U);
  EXPECT_EQ(base.delta_url, "http://ca.test" + CrlPath(DeltaListId(IssuerId())));
  auto delta = List(DeltaListId(IssuerId())).value();
  EXPECT_EQ(delta.base_number, base.number);
  EXPECT_EQ(delta.number, base.number);  // Made together (RFC 5280, section 5.2.3).
  EXPECT_EQ(delta.this_update, base.this_update);
  EXPECT_TRUE(delta.revoked.empty());

  Revoke(issued[4].serial);
  DT_ASSERT_OK(revocations_->ReleaseHold(issued[0].serial, "admin:ada"));
  delta = List(DeltaListId(IssuerId())).value();
  EXPECT_EQ(delta.base_number, base.number);
  EXPECT_GT(delta.number, base.number);
  EXPECT_EQ(Serials(delta), (std::set{issued[0].serial, issued[4].serial}));
  for (const auto& change : delta.revoked) {
    EXPECT_EQ(change.reason, change.serial_hex == issued[0].serial ? pki::CrlReason::kRemoveFromCrl
                                                                   : pki::CrlReason::kSuperseded);
  }
  // Held and released since the base: to be taken off a list in between, so it is told, too.
  Revoke(issued[5].serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  EXPECT_TRUE(Serials(*List(DeltaListId(IssuerId()))).contains(issued[5].serial));
  DT_ASSERT_OK(revocations_->ReleaseHold(issued[5].serial, "admin:ada"));
  Revoke(issued[0].serial);  // Back, and said once.
  delta = List(DeltaListId(IssuerId())).value();
  std::map<std::string, pki::CrlReason> changes;
  for (const auto& change : delta.revoked) {
    EXPECT_TRUE(changes.emplace(change.serial_hex, change.reason).second) << change.serial_hex;
  }
  EXPECT_EQ(changes.at(issued[5].serial), pki::CrlReason::kRemoveFromCrl);
  EXPECT_EQ(changes.at(issued[0].serial), pki::CrlReason::kSuperseded);
}

// A delta never leads back: base and changes together are the complete list of that time.
TEST_F(CrlPartsTest, BaseAndDeltaAreTheCompleteList) {
  crl_large_ = 2;
  Open();
  std::vector<StoredCertificate> issued;
  for (int i = 0; i < 12; ++i) issued.push_back(EnrollNew());
  std::map<std::int64_t, pki::Crl> bases;
  std::set<std::string> revoked;
  for (std::size_t i = 0; i < issued.size(); ++i) {
    const bool held = i % 2 == 0;
    Revoke(issued[i].serial,
           held ? v1::REVOCATION_REASON_CERTIFICATE_HOLD : v1::REVOCATION_REASON_SUPERSEDED);
    revoked.insert(issued[i].serial);
    if (i % 4 == 2) {
      DT_ASSERT_OK(revocations_->ReleaseHold(issued[i - 2].serial, "admin:ada"));
      revoked.erase(issued[i - 2].serial);
    }
    const auto complete = List(IssuerId()).value();
    bases.emplace(complete.number, complete);
    const auto delta = List(DeltaListId(IssuerId()));
    if (!delta || !bases.contains(*delta->base_number)) continue;
    std::set<std::string> together = Serials(bases.at(*delta->base_number));
    for (const auto& change : delta->revoked) {
      if (change.reason == pki::CrlReason::kRemoveFromCrl) {
        together.erase(change.serial_hex);
      } else {
        together.insert(change.serial_hex);
      }
    }
    EXPECT_EQ(together, revoked) << i;
    clock_.Advance(hours(1));
  }
  EXPECT_GT(bases.size(), 2U);
}

// Numbers and dates of every list grow over a restart, with the clock set back, and over a restore.
TEST_F(CrlPartsTest, NoNumberOfAnyListGoesBack) {
  crl_large_ = 1;
  crl_shards_ = {.first_after = 0, .certificates_each = 2};
  Open();
  std::vector<StoredCertificate> issued;
  for (int i = 0; i < 4; ++i) issued.push_back(EnrollNew());
  for (const auto& certificate : issued) Revoke(certificate.serial);
  std::map<std::string, pki::Crl> before;
  const std::vector<std::string> ids = {IssuerId(), DeltaListId(IssuerId()),
                                        ShardListId(IssuerId(), 1), ShardListId(IssuerId(), 2)};
  for (int round = 0; round < 3; ++round) {
    clock_.Advance(round == 1 ? -hours(30) : hours(1));
    Open();
    for (const std::string& id : ids) {
      const auto list = List(id).value();
      if (before.contains(id)) {
        EXPECT_GT(list.number, before[id].number) << id;
        EXPECT_GT(list.this_update, before[id].this_update) << id;
      }
      before[id] = list;
    }
  }
}

// Nor after a restore of an older copy, which knows nothing of what came after it: lists that
// clients keep from then count as older, and are the base of no delta list that is made now.
TEST_F(CrlPartsTest, NoNumberOfAnyListGoesBackOverARestoreOfAnOlderCopy) {
  crl_large_ = 1;
  crl_shards_ = {.first_after = 0, .certificates_each = 2};
  Open();
  std::vector<StoredCertificate> issued;
  for (int i = 0; i < 4; ++i) issued.push_back(EnrollNew());
  for (const std::size_t i : {0, 1}) Revoke(issued[i].serial);
  const std::vector<std::string> ids = {IssuerId(), DeltaListId(IssuerId()),
                                        ShardListId(IssuerId(), 1), ShardListId(IssuerId(), 2),
                                        ShardListId(IssuerId(), 3)};
  Close();
  std::filesystem::copy_file(folder_ / store_, folder_ / "older.db");
  clock_.Advance(seconds(10));  // More than there were lists: they come one a second.
  Open();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(EnrollNew().crl_shard, 3);
  std::map<std::string, pki::Crl> kept;
  for (const std::size_t i : {2, 3}) {
    clock_.Advance(seconds(1));
    Revoke(issued[i].serial);
    for (const std::string& id : ids) kept[id] = List(id).value();
  }
  EXPECT_EQ(Serials(kept[ShardListId(IssuerId(), 2)]),
            (std::set{issued[2].serial, issued[3].serial}));

  Close();
  store_ = "older.db";
  clock_.Advance(seconds(2));
  Open();
  EXPECT_EQ(EnrollNew().crl_shard, 3);  // Its address is in certificates that the copy lacks.
  const auto expect_later = [&] {
    for (const std::string& id : ids) {
      const auto list = List(id).value();
      EXPECT_GT(list.number, kept[id].number) << id;
      EXPECT_GT(list.this_update, kept[id].this_update) << id;
    }
    EXPECT_GT(*List(DeltaListId(IssuerId()))->base_number, kept[IssuerId()].number);
  };
  expect_later();
  clock_.Advance(seconds(1));
  Revoke(issued[2].serial);  // Once more, as the copy takes it for good.
  expect_later();
  EXPECT_EQ(Serials(*List(ShardListId(IssuerId(), 2))), std::set{issued[2].serial});
  EXPECT_TRUE(Serials(*List(DeltaListId(IssuerId()))).contains(issued[2].serial));
}

// Java and NSS take a certificate whose revocation is ahead of their clock for good.
TEST_F(CrlPartsTest, NoEntryIsDatedLaterThanItsList) {
  crl_large_ = 2;
  crl_shards_ = {.first_after = 2, .certificates_each = 9};
  Open();
  for (int i = 0; i < 3; ++i) Revoke(EnrollNew().serial);
  Open();  // All of them are on the base of the delta list.
  Revoke(EnrollNew().serial);
  const auto held = EnrollNew();
  Revoke(held.serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  const auto expect_dates = [&](WallTime last) {
    for (const std::string& id :
         {IssuerId(), DeltaListId(IssuerId()), ShardListId(IssuerId(), 1)}) {
      const auto list = List(id).value();
      EXPECT_FALSE(list.revoked.empty()) << id;
      for (const auto& entry : list.revoked) {
        EXPECT_EQ(entry.revoked_at, std::min(last, list.this_update)) << id;
      }
    }
  };
  expect_dates(clock_.Now());
  DT_ASSERT_OK(revocations_->ReleaseHold(held.serial, "admin:ada"));
  expect_dates(clock_.Now());
  // Later lists tell the time itself.
  clock_.Advance(seconds(400));
  Revoke(held.serial);
  EXPECT_EQ(List(ShardListId(IssuerId(), 1))->revoked.at(0).revoked_at, kStart);
}

// What OpenSSL makes of them: parts in any order, base and delta, old lists beside new ones.
TEST_F(CrlJudgedTest, PartsInEitherOrder) {
  Revoke(issued_[2].serial);
  const std::string complete = Pem(IssuerId());
  for (const char* options : {"", "-extended_crl"}) {
    for (const std::string& lists : {Part(1) + Part(2), Part(2) + Part(1)}) {
      ExpectRevoked(Verdict(issued_[2], lists, options));
      EXPECT_EQ(Verdict(issued_[3], lists, options), "");
      EXPECT_EQ(Verdict(issued_[4], lists, options), "");
      // Of no part: neither list says anything of it.
      EXPECT_NE(Verdict(issued_[1], lists, options), "");
      ExpectRevoked(Verdict(issued_[1], lists + complete, options));
    }
    EXPECT_NE(Verdict(issued_[2], Part(2), options), "");  // Another part's list is none.
  }
}

TEST_F(CrlJudgedTest, ADeltaRevokesAndReleases) {
  Revoke(issued_[2].serial);
  DT_ASSERT_OK(revocations_->ReleaseHold(issued_[0].serial, "admin:ada"));
  Revoke(issued_[3].serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  DT_ASSERT_OK(revocations_->ReleaseHold(issued_[3].serial, "admin:ada"));
  const std::string with_delta = base_ + Pem(DeltaListId(IssuerId()));
  const char* const deltas = "-extended_crl -use_deltas";
  ExpectRevoked(Verdict(issued_[0], base_));
  EXPECT_EQ(Verdict(issued_[2], base_), "");
  EXPECT_EQ(Verdict(issued_[0], with_delta, deltas), "");
  ExpectRevoked(Verdict(issued_[1], with_delta, deltas));
  ExpectRevoked(Verdict(issued_[2], with_delta, deltas));
  EXPECT_EQ(Verdict(issued_[3], with_delta, deltas), "");
}

// Attack 16: an old list beside the new one makes nothing good, and a list that has ended nothing
// at all, whatever stands on it.
TEST_F(CrlJudgedTest, Attack16OldListsAndEndedOnesLetNobodyIn) {
  Revoke(issued_[2].serial);
  const std::string part = Part(1);
  Revoke(issued_[3].serial);
  ExpectRevoked(Verdict(issued_[3], part + Part(1)));
  ExpectRevoked(Verdict(issued_[3], Part(1) + part));
  const auto ended = kCrlLifetime + hours(1);
  for (const std::size_t i : {2, 3}) EXPECT_NE(Verdict(issued_[i], Part(1), "", ended), "");
  const std::string good = Verdict(issued_[5], Part(2), "", ended);
  EXPECT_NE(good.find("CRL has expired"), std::string::npos) << good;
  EXPECT_EQ(Verdict(issued_[5], Part(2), "", kCrlLifetime / 2), "");  // Half its life to go.
}

}  // namespace
}  // namespace devicetrust::ca
