// A store with a damaged page, and clocks that jump.
#include <filesystem>
#include <fstream>

#include "ca-service/ca_fixture.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

class StoreFaultTest : public CaTest {
 protected:
  StoredCertificate EnrollNew() {
    const auto key = pki::PrivateKey::Generate().value();
    return Enroll(Token(key), key).value();
  }
  void Close() {
    enroller_.reset();
    crl_.reset();
    revocations_.reset();
    outbox_.reset();
    issuers_.reset();
    database_.reset();
  }
};

// Whichever page it is: the CA refuses to start or serves, tells by an error what it cannot read,
// and tells nobody that nothing is revoked.
TEST_F(StoreFaultTest, ADamagedPageIsToldAndNeverHidesARevocation) {
  constexpr std::size_t kPage = 4096;
  for (int i = 0; i < 40; ++i) EnrollNew();
  const auto revoked = EnrollNew();
  DT_ASSERT_OK(revocations_->RevokeCertificate(revoked.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                               "admin:ada"));
  EXPECT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  Close();
  const std::string good = folder_ / store_;
  const std::size_t pages = std::filesystem::file_size(good) / kPage;
  ASSERT_GT(pages, 20U);
  int told = 0;
  for (std::size_t page = 1; page < pages; ++page) {
    const std::string path = folder_ / ("damaged-" + std::to_string(page) + ".db");
    std::filesystem::copy_file(good, path);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(page * kPage));
    file << std::string(kPage, '\xa5');
    file.close();
    const auto database = db::Database::Open("sqlite:" + path, Migrations());
    if (!database.ok()) {
      EXPECT_NE(database.status().message().find("damaged"), std::string::npos)
          << database.status();
      ++told;
      continue;
    }
    db::Outbox outbox(**database, {}, [](auto) { return absl::OkStatus(); });
    Revocations revocations(**database, outbox, clock_);
    const auto feed = revocations.After(0, 10);
    if (feed.ok()) {
      ASSERT_EQ(feed->size(), 1U) << "page " << page;
      EXPECT_EQ(feed->at(0).serial, revoked.serial);
    } else {
      EXPECT_EQ(rpc::ReasonOf(feed.status()), reason::v1::REASON_STORE_UNAVAILABLE);
      EXPECT_NE(rpc::DetailOf(feed.status())->remedy().find("backup"), std::string::npos);
      ++told;
    }
    std::filesystem::remove(path);
  }
  EXPECT_GT(told, 2);
}

TEST_F(StoreFaultTest, AClockThatJumpsTurnsNoNumberBack) {
  std::int64_t sequence = 0;
  std::int64_t number = 0;
  WallTime this_update{};
  std::set<std::string> serials;
  const auto jumps = std::to_array<WallTime::duration>(
      {hours(0), -days(30), hours(1), days(200), -days(400), seconds(1), days(230)});
  for (const auto jump : jumps) {
    clock_.Advance(jump);
    const StoredCertificate issued = EnrollNew();
    EXPECT_TRUE(serials.insert(issued.serial).second);
    EXPECT_EQ(issued.issued_at, UnixSeconds(clock_.Now()));
    const auto revoked = revocations_->RevokeCertificate(
        issued.serial, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada");
    DT_ASSERT_OK(revoked);
    EXPECT_GT(revoked->certificate.revocation_sequence, sequence);
    sequence = revoked->certificate.revocation_sequence;
    const pki::Crl crl = PublishedCrl(issuers_->Current()->active());
    EXPECT_GT(crl.number, number);
    EXPECT_GT(crl.this_update, this_update);
    number = crl.number;
    this_update = crl.this_update;
  }
}

}  // namespace
}  // namespace devicetrust::ca
