#include "policy-engine/log/log_heads.h"

#include "libs/eventlog/chain.h"
#include "libs/testing/temp_folder.h"
#include "policy-engine/log/system_log_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using eventlog::ChainVerifier;

class LogChainTest : public SystemLogFixture {
 protected:
  // Reads the whole log as a verifier does; empty: it holds.
  std::string Verify() {
    const v1::GetLogChainResponse chain = heads_->Current().value();
    const auto key = pki::PublicKey::FromSpki(AsBytes(chain.public_key())).value();
    DT_EXPECT_OK(eventlog::CheckHead(chain.head(), key));
    ChainVerifier verifier(eventlog::HashFrom(chain.anchor_hash()).value());
    verifier.SetChainedFrom(chain.chained_from());
    std::int64_t after = 0;
    for (bool more = true; more;) {
      const auto following = log_.After({}, after, 100).value();
      for (const Event& event : following.events) {
        if (!verifier.Add(eventlog::ChainedEventOf(event))) return verifier.problem();
      }
      more = following.sequence > after;
      after = following.sequence;
    }
    verified_ = verifier.verified();
    verifier.EndsWith(chain.head().sequence(), eventlog::HashFrom(chain.head().hash()).value());
    return verifier.problem();
  }
  void AppendMany(int from, int count) {
    std::vector<Event> events;
    for (int i = from; i < from + count; ++i) {
      events.push_back(NewEvent(std::to_string(i), "x", i % 60));
    }
    Append(events);
  }
  void Run(std::string_view sql) {
    DT_ASSERT_OK(database_->Write([sql](db::Transaction& txn) { return txn.Run(sql).status(); }));
  }
  std::int64_t verified_ = 0;
};

TEST_F(LogChainTest, EveryEventIsBoundToTheOneBefore) {
  EXPECT_EQ(Verify(), "");
  AppendMany(0, 300);
  AppendMany(200, 200);  // Half of them doubles.
  DT_EXPECT_CODE(log_.Append(Component("ca", "ca"), std::vector{NewEvent("a", "org.x", 1)}),
                 kPermissionDenied);
  AppendMany(400, 1);
  EXPECT_EQ(Verify(), "");
  EXPECT_EQ(verified_, 401);
  // Whatever way it is read, an event carries the same link.
  const auto found = log_.Search({}, 0, 1000)->events;
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    EXPECT_EQ(found[i].chain().previous_hash(), found[i + 1].chain().hash());
  }
}

TEST_F(LogChainTest, AChangeOfTheStoreIsSeen) {
  AppendMany(0, 50);
  const Event victim = log_.Search({}, 0, 50)->events[20];
  const std::string id = victim.id();
  Event changed = victim;
  changed.clear_sequence();
  changed.mutable_outcome()->set_result(v1::EventOutcome::RESULT_DENY);
  const std::string message = changed.SerializeAsString();
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return txn
        .Run("UPDATE events SET event = $1 WHERE id = $2",
             {Bytes(message.begin(), message.end()), id})
        .status();
  }));
  EXPECT_NE(Verify().find("event " + id + " of"), std::string::npos) << Verify();
  EXPECT_NE(Verify().find("not what was written"), std::string::npos);
}

TEST_F(LogChainTest, RemovedEventsAreSeen) {
  AppendMany(0, 50);
  Run("DELETE FROM events WHERE id = 'policy/20'");
  EXPECT_NE(Verify().find("event policy/21 of"), std::string::npos) << Verify();
  Run("DELETE FROM events WHERE sequence <= (SELECT sequence FROM events WHERE id = 'policy/21')");
  EXPECT_NE(Verify().find("event policy/22 of"), std::string::npos) << Verify();
  Run("DELETE FROM events");
  EXPECT_NE(Verify().find("were removed"), std::string::npos) << Verify();
}

TEST_F(LogChainTest, RetentionKeepsTheChain) {
  AppendMany(0, 500);
  DT_ASSERT_OK(heads_->Sign());
  clock_.Advance(std::chrono::hours(24 * 91));
  AppendMany(500, 10);
  while (*log_.Prune()) {
  }
  EXPECT_EQ(Verify(), "");
  EXPECT_EQ(verified_, 10);
  EXPECT_TRUE(heads_->List(0, 10)->empty());  // Went with its event.
  DT_EXPECT_OK(heads_->Sign());
  // Deleted by somebody else, it is not retention.
  Run("DELETE FROM events WHERE id = 'policy/500'");
  EXPECT_NE(Verify().find("event policy/501 of"), std::string::npos) << Verify();
}

TEST_F(LogChainTest, BeginsBehindTheEventsOfAnOlderRelease) {
  auto migrations = LogMigrations();
  migrations.resize(2);
  const testing::TempFolder folder;
  const std::string url = "sqlite:" + folder / "log.db";
  {
    const auto old = db::Database::Open(url, migrations).value();
    Event event = NewEvent("old", "x", 1);
    event.set_id("policy/old");
    const std::string message = event.SerializeAsString();
    const std::int64_t sequence = UnixMicros(kLogBegin);
    DT_ASSERT_OK(old->Write([&](db::Transaction& txn) -> absl::Status {
      DT_RETURN_IF_ERROR(
          txn.Run("INSERT INTO sequences (name, value) VALUES ('events', $1)", {sequence})
              .status());
      return txn
          .Run("INSERT INTO events (sequence, id, type, at_ms, event) VALUES ($1, $2, $3, $4, $5)",
               {sequence, event.id(), event.type(), std::int64_t{0},
                Bytes(message.begin(), message.end())})
          .status();
    }));
  }
  const auto database = db::Database::Open(url, LogMigrations()).value();
  SystemLog log(*database, clock_);
  DT_ASSERT_OK(log.Append(TheOrg(), std::vector{NewEvent("new", "x", 2)}));
  const auto heads = LogHeads::Create(*database, kek_, "acme", clock_, random_).value();
  const auto chain = heads->Current().value();
  ChainVerifier verifier(eventlog::kNoHash);
  verifier.SetChainedFrom(chain.chained_from());
  const auto events = log.After({}, 0, 10)->events;
  for (const Event& event : events) EXPECT_TRUE(verifier.Add(eventlog::ChainedEventOf(event)));
  EXPECT_EQ(verifier.unchained(), 1);
  EXPECT_EQ(verifier.verified(), 1);
}

TEST_F(LogChainTest, HeadsAreSignedOnceForWhatHappened) {
  DT_EXPECT_OK(heads_->Sign());
  EXPECT_TRUE(heads_->List(0, 10)->empty());
  AppendMany(0, 5);
  DT_EXPECT_OK(heads_->Sign());
  DT_EXPECT_OK(heads_->Sign());
  AppendMany(5, 5);
  DT_EXPECT_OK(heads_->Sign());
  const auto heads = heads_->List(0, 10).value();
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[1].sequence(), *log_.LastSequence());
  EXPECT_EQ(heads_->List(heads[0].sequence(), 10)->size(), 1u);
  // The same key after a restart; another key-encryption key is refused.
  const auto again = LogHeads::Create(*database_, kek_, "acme", clock_, random_).value();
  const std::string spki = again->Current()->public_key();
  EXPECT_EQ(spki, heads_->Current()->public_key());
  const auto key = pki::PublicKey::FromSpki(AsBytes(spki)).value();
  for (const v1::LogHead& head : heads) DT_EXPECT_OK(eventlog::CheckHead(head, key));
  const auto other = pki::AeadKey::Create("kek-1", Bytes(pki::kAeadKeyBytes, 8)).value();
  DT_EXPECT_CODE(LogHeads::Create(*database_, other, "acme", clock_, random_), kPermissionDenied);
}

// Whoever rewrites the whole log can make all hashes fit, but no signature.
TEST_F(LogChainTest, NothingIsSignedOnceTheStoreWasReplaced) {
  AppendMany(0, 5);
  DT_ASSERT_OK(heads_->Sign());
  Run("UPDATE events SET event = (SELECT event FROM events WHERE id = 'policy/0')"
      " WHERE sequence = (SELECT MAX(sequence) FROM events)");
  AppendMany(5, 1);
  const absl::Status refused = heads_->Sign();
  DT_EXPECT_CODE(refused, kDataLoss);
  EXPECT_NE(refused.message().find("dtctl log verify"), std::string::npos);
  EXPECT_EQ(heads_->List(0, 10)->size(), 1u);
}

TEST_F(LogChainTest, TheServiceGivesOutChainAndHeads) {
  AppendMany(0, 5);
  DT_ASSERT_OK(heads_->Sign());
  v1::GetLogChainResponse chain;
  ASSERT_TRUE(service_.GetLogChain(nullptr, nullptr, &chain).ok());
  EXPECT_EQ(chain.head().sequence(), *log_.LastSequence());
  EXPECT_EQ(chain.head().org(), "acme");
  v1::ListLogHeadsRequest request;
  v1::ListLogHeadsResponse heads;
  ASSERT_TRUE(service_.ListLogHeads(nullptr, &request, &heads).ok());
  EXPECT_EQ(heads.heads_size(), 1);
  request.set_page_size(1001);
  EXPECT_EQ(service_.ListLogHeads(nullptr, &request, &heads).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace devicetrust::policy
