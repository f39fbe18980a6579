// The System Log's store: full, read-only, taken, damaged, replaced by an older copy; and clocks
// that jump. Whatever happens, what is read is what was written, or it is told.
#include <filesystem>
#include <fstream>

#include "libs/db/faulty_disk_fixture.h"
#include "libs/eventlog/chain.h"
#include "libs/testing/temp_folder.h"
#include "policy-engine/log/system_log_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::hours;

class LogStoreFaultTest : public SystemLogFixture {
 protected:
  struct Store {
    std::unique_ptr<db::Database> database;
    std::unique_ptr<SystemLog> log;
    std::unique_ptr<LogHeads> heads;
  };
  Store Open(const std::string& path, db::DatabaseOptions options = {}, LogLimits limits = {}) {
    Store store;
    store.database = db::Database::Open("sqlite:" + path, LogMigrations(), options).value();
    store.log = std::make_unique<SystemLog>(*store.database, clock_, limits);
    store.heads = LogHeads::Create(*store.database, kek_, "acme", clock_, random_).value();
    return store;
  }
  static absl::Status AppendOne(Store& store, const std::string& id) {
    return store.log->Append(TheOrg(), std::vector{NewEvent(id, "x", 1)}).status();
  }
  // Reads everything. OK: the chain holds to its head, and `events` has the ids; else what is
  // wrong.
  static absl::Status ReadAll(Store& store, std::vector<std::string>& events,
                              const v1::LogHead* kept = nullptr) {
    DT_ASSIGN_OR_RETURN(const v1::GetLogChainResponse chain, store.heads->Current());
    eventlog::ChainVerifier verifier(eventlog::HashFrom(chain.anchor_hash()).value());
    std::int64_t after = 0;
    for (bool more = true; more;) {
      DT_ASSIGN_OR_RETURN(const auto following, store.log->After({}, after, 50));
      for (const Event& event : following.events) {
        if (!verifier.Add(eventlog::ChainedEventOf(event))) {
          return absl::DataLossError(verifier.problem());
        }
        events.push_back(OwnId(event));
      }
      more = following.sequence > after;
      after = following.sequence;
    }
    const v1::LogHead& head = kept == nullptr ? chain.head() : *kept;
    if (!verifier.EndsWith(head.sequence(), eventlog::HashFrom(head.hash()).value())) {
      return absl::DataLossError(verifier.problem());
    }
    return absl::OkStatus();
  }
  static std::size_t CountOf(Store& store) {
    std::vector<std::string> events;
    DT_EXPECT_OK(ReadAll(store, events));
    return events.size();
  }

  testing::TempFolder folder_;
};

TEST_F(LogStoreFaultTest, AFullStoreTakesNothingHalfAndGoesOnAfterRetention) {
  Store store = Open(folder_ / "log.db", {.bytes_max = 400 * 1024}, {.bytes_max = 100 * 1024});
  std::size_t stored = 0;
  absl::Status status;
  for (; stored < 5000 && status.ok(); ++stored) status = AppendOne(store, std::to_string(stored));
  DT_EXPECT_CODE(status, kResourceExhausted);
  --stored;
  EXPECT_EQ(CountOf(store), stored);
  while (*store.log->Prune()) {
  }
  EXPECT_LT(CountOf(store), stored);
  DT_EXPECT_OK(AppendOne(store, "again"));
  std::vector<std::string> events;
  DT_EXPECT_OK(ReadAll(store, events));
  EXPECT_EQ(events.back(), "again");
}

TEST_F(LogStoreFaultTest, AReadOnlyOrFullDiskIsToldAndReadingGoesOn) {
  db::FaultyDisk disk;
  Store store = Open(folder_ / "log.db");
  for (int i = 0; i < 20; ++i) DT_ASSERT_OK(AppendOne(store, std::to_string(i)));
  for (const db::FaultyDisk::Faults faults :
       {db::FaultyDisk::Faults{.full = true}, db::FaultyDisk::Faults{.read_only = true}}) {
    disk.SetFaults(faults);
    const absl::Status refused = AppendOne(store, "refused");
    EXPECT_FALSE(refused.ok());
    EXPECT_FALSE(store.heads->Sign().ok());
    EXPECT_EQ(CountOf(store), 20u);
    disk.SetFaults({});
  }
  DT_EXPECT_OK(AppendOne(store, "20"));
  DT_EXPECT_OK(store.heads->Sign());
  EXPECT_EQ(CountOf(store), 21u);
}

TEST_F(LogStoreFaultTest, AStoreThatAnotherHasIsNotOpened) {
  const Store store = Open(folder_ / "log.db");
  const auto second = db::Database::Open("sqlite:" + folder_ / "log.db", LogMigrations());
  DT_EXPECT_CODE(second, kFailedPrecondition);
}

// Whichever page it is: what is read is what was written, or it is told.
TEST_F(LogStoreFaultTest, ADamagedPageIsTold) {
  constexpr std::size_t kPage = 4096;
  const std::string good = folder_ / "log.db";
  std::vector<std::string> written;
  {
    Store store = Open(good);
    for (int i = 0; i < 120; ++i) {
      written.push_back(std::to_string(i));
      DT_ASSERT_OK(AppendOne(store, written.back()));
    }
    DT_ASSERT_OK(store.heads->Sign());
  }
  const std::size_t pages = std::filesystem::file_size(good) / kPage;
  ASSERT_GT(pages, 20u);
  int told = 0;
  for (std::size_t page = 1; page < pages; ++page) {
    const std::string path = folder_ / ("damaged-" + std::to_string(page) + ".db");
    std::filesystem::copy_file(good, path);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(page * kPage));
    file << std::string(kPage, '\xa5');
    file.close();
    Store store;
    auto opened = db::Database::Open("sqlite:" + path, LogMigrations());
    if (opened.ok()) {
      store.database = *std::move(opened);
      store.log = std::make_unique<SystemLog>(*store.database, clock_);
      auto heads = LogHeads::Create(*store.database, kek_, "acme", clock_, random_);
      std::vector<std::string> events;
      absl::Status status = heads.status();
      if (heads.ok()) {
        store.heads = *std::move(heads);
        status = ReadAll(store, events);
      }
      if (status.ok()) {
        EXPECT_EQ(events, written) << "page " << page;
      } else {
        ++told;
      }
    } else {
      ++told;
    }
    store = Store();
    std::filesystem::remove(path);
  }
  EXPECT_GT(told, 5);
}

TEST_F(LogStoreFaultTest, AnOlderCopyIsSeenByWhoRemembersAndGivesNoSequenceAgain) {
  const std::string path = folder_ / "log.db";
  const std::string copy = folder_ / "copy.db";
  std::int64_t read_to = 0;
  v1::LogHead head;
  {
    Store store = Open(path);
    for (int i = 0; i < 10; ++i) DT_ASSERT_OK(AppendOne(store, std::to_string(i)));
    DT_ASSERT_OK(store.heads->Sign());
  }
  std::filesystem::copy_file(path, copy);
  {
    Store store = Open(path);
    clock_.Advance(hours(1));
    for (int i = 10; i < 20; ++i) DT_ASSERT_OK(AppendOne(store, std::to_string(i)));
    DT_ASSERT_OK(store.heads->Sign());
    read_to = *store.log->LastSequence();
    head = store.heads->Current()->head();
  }
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  clock_.Advance(hours(1));
  Store store = Open(path);
  // Whole in itself; who kept a head elsewhere sees that the end is missing, and a reader that it
  // is behind.
  EXPECT_EQ(CountOf(store), 10u);
  std::vector<std::string> events;
  const absl::Status cut = ReadAll(store, events, &head);
  EXPECT_NE(cut.message().find("were removed"), std::string::npos) << cut;
  DT_EXPECT_CODE(store.log->After({}, read_to, 10), kOutOfRange);
  DT_ASSERT_OK(AppendOne(store, "after"));
  EXPECT_GT(*store.log->LastSequence(), read_to);
  EXPECT_EQ(store.log->After({}, read_to, 10)->events.size(), 1u);
  events.clear();
  EXPECT_FALSE(ReadAll(store, events, &head).ok());
}

TEST_F(LogStoreFaultTest, AClockThatJumpsTurnsNoSequenceBack) {
  Store store = Open(folder_ / "log.db");
  std::int64_t last = 0;
  int count = 0;
  for (const auto jump : {hours(0), hours(-700), hours(1), hours(900), hours(-5000), hours(4900)}) {
    clock_.Advance(jump);
    DT_ASSERT_OK(AppendOne(store, std::to_string(count++)));
    EXPECT_GT(*store.log->LastSequence(), last);
    last = *store.log->LastSequence();
    DT_EXPECT_OK(store.heads->Sign());
  }
  EXPECT_EQ(CountOf(store), 6u);
}

}  // namespace
}  // namespace devicetrust::policy
