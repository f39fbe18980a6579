// The stream as gateways of this release and of the one before read it.
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "ca-service/ca_fixture.h"
#include "ca-service/revocation_feed_service.h"
#include "ca-service/revoked_set.h"

namespace devicetrust::ca {
namespace {

class RevocationFeedTest : public CaTest {
 protected:
  void SetUp() override {
    CaTest::SetUp();
    grpc::ServerBuilder builder;
    builder.RegisterService(
        &feed_.emplace(*revocations_, everything_.emplace(*database_, clock_), clock_));
    server_ = builder.BuildAndStart();
    stub_ = v1::RevocationFeedService::NewStub(server_->InProcessChannel({}));
  }
  void TearDown() override {
    revocations_->committed().Stop();
    server_->Shutdown();
  }

  std::string RevokeNew(v1::RevocationReason reason) {
    const auto key = pki::PrivateKey::Generate().value();
    const std::string serial = Enroll(Token(key), key).value().serial;
    DT_EXPECT_OK(revocations_->RevokeCertificate(serial, reason, "admin:ada"));
    return serial;
  }
  // Everything up to where the stream says that this is all.
  std::vector<v1::WatchRevocationsResponse> Read(std::int64_t after, bool takes_set) {
    grpc::ClientContext context;
    v1::WatchRevocationsRequest request;
    request.set_after_sequence(after);
    request.set_takes_set(takes_set);
    const auto reader = stub_->WatchRevocations(&context, request);
    std::vector<v1::WatchRevocationsResponse> messages(1);
    while (reader->Read(&messages.back()) && messages.back().more()) messages.emplace_back();
    context.TryCancel();
    static_cast<void>(reader->Finish());
    return messages;
  }

  std::optional<RevokedSet> everything_;
  std::optional<ca::RevocationFeedService> feed_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::RevocationFeedService::Stub> stub_;
};

TEST_F(RevocationFeedTest, BeginsWithOneSetAndGoesOnWithChanges) {
  EXPECT_EQ(Read(0, true).size(), 1U);  // Nothing was ever revoked: no set.
  const std::string first = RevokeNew(v1::REVOCATION_REASON_SUPERSEDED);
  const std::string held = RevokeNew(v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  const auto messages = Read(0, true);
  std::vector<pki::SerialKey> keys;
  for (const auto& message : messages) {
    DT_ASSERT_OK(pki::DecodeSerialKeys(message.set().keys(), keys));
    EXPECT_EQ(message.revocations_size(), 0);
  }
  std::vector expected = {pki::SerialKeyOf(first).value(), pki::SerialKeyOf(held).value()};
  std::ranges::sort(expected);
  EXPECT_EQ(keys, expected);
  const std::int64_t last = messages.back().sequence();
  EXPECT_EQ(last, revocations_->After(0, 10).value().back().sequence);

  DT_ASSERT_OK(revocations_->ReleaseHold(held, "admin:ada"));
  const auto changes = Read(last, true);
  ASSERT_EQ(changes.size(), 1U);
  ASSERT_EQ(changes[0].revocations_size(), 1);
  EXPECT_FALSE(changes[0].has_set());
  EXPECT_TRUE(changes[0].revocations(0).released());
  EXPECT_EQ(changes[0].revocations(0).serial(), held);
}

TEST_F(RevocationFeedTest, TellsWhichOfThemHaveExpired) {
  const std::string serial = RevokeNew(v1::REVOCATION_REASON_SUPERSEDED);
  grpc::ClientContext context;
  v1::WatchRevocationsRequest request;
  request.set_takes_set(true);
  const auto reader = stub_->WatchRevocations(&context, request);
  v1::WatchRevocationsResponse message;
  do {
    ASSERT_TRUE(reader->Read(&message));
  } while (message.more());
  const std::int64_t sequence = message.sequence();
  // Of its life, and of a session that it proved; a gateway's clock may be behind.
  clock_.Advance(std::chrono::days(365 + 7));
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.revocations_size(), 0);
  clock_.Advance(std::chrono::days(2));
  do {
    ASSERT_TRUE(reader->Read(&message));
  } while (message.revocations().empty());
  ASSERT_EQ(message.revocations_size(), 1);
  EXPECT_EQ(message.revocations(0).serial(), serial);
  EXPECT_TRUE(message.revocations(0).expired());
  EXPECT_EQ(message.sequence(), sequence);
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.revocations_size(), 0);  // Once.
  context.TryCancel();
  static_cast<void>(reader->Finish());
}

// The release before would take the end of a hold for a revocation, and knows no set.
TEST_F(RevocationFeedTest, AReaderOfTheReleaseBeforeGetsRevocationsAlone) {
  const std::string held = RevokeNew(v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  const std::string other = RevokeNew(v1::REVOCATION_REASON_SUPERSEDED);
  const auto released = revocations_->ReleaseHold(held, "admin:ada").value();
  const auto messages = Read(0, false);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_FALSE(messages[0].has_set());
  ASSERT_EQ(messages[0].revocations_size(), 1);
  EXPECT_EQ(messages[0].revocations(0).serial(), other);
  EXPECT_EQ(messages[0].sequence(), released.sequence);  // And it has seen all up to there.
}

}  // namespace
}  // namespace devicetrust::ca
