#include "ca-service/admin_service.h"

#include <grpcpp/test/server_context_test_spouse.h>

#include "ca-service/ca_fixture.h"
#include "libs/rpc/grant.h"
#include "libs/rpc/status.h"

namespace devicetrust::ca {
namespace {

// Called as by a gateway for an administrator, with the org's grant, which the listener has
// checked.
class AdminServiceTest : public CaTest {
 protected:
  template <typename Response, typename Method, typename Request>
  absl::Status Call(Method method, const Request& request) {
    access::v1::Grant grant;
    grant.set_org("acme");
    grant.set_role(access::v1::ROLE_HELP_DESK);
    grant.set_user_id("help");
    grant.set_principal("help@corp.test");
    grant.add_protected_users(rpc::ProtectedUser("help"));
    grant.add_protected_users(rpc::ProtectedUser(administrator_));
    access::v1::SignedGrant message;
    message.set_grant(grant.SerializeAsString());
    grpc::ServerContext context;
    grpc::testing::ServerContextTestSpouse spouse(&context);
    spouse.AddClientMetadata(rpc::kGrantHeader, message.SerializeAsString());
    Response response;
    return rpc::FromGrpc((service_.value().*method)(&context, &request, &response));
  }

  // Each way to touch the certificate, in an order in which each can.
  std::vector<absl::Status> TouchAll(const StoredCertificate& certificate) {
    v1::RevokeCertificateRequest hold;
    hold.set_serial(certificate.serial);
    hold.set_reason(v1::REVOCATION_REASON_CERTIFICATE_HOLD);
    v1::ReleaseHoldRequest release;
    release.set_serial(certificate.serial);
    v1::BlockDeviceRequest block;
    block.mutable_device()->set_computer_sid("S-1-5-21-1-2-3-2001");
    v1::UnblockDeviceRequest unblock;
    unblock.mutable_device()->set_device_id(certificate.device_id);
    v1::RevokeForDeviceRequest of_device;
    *of_device.mutable_device() = block.device();
    v1::RevokeForUserRequest of_user;
    of_user.set_user_id(certificate.user_id);
    return {Call<v1::RevokeCertificateResponse>(&AdminService::RevokeCertificate, hold),
            Call<v1::ReleaseHoldResponse>(&AdminService::ReleaseHold, release),
            Call<v1::BlockDeviceResponse>(&AdminService::BlockDevice, block),
            Call<v1::UnblockDeviceResponse>(&AdminService::UnblockDevice, unblock),
            Call<v1::RevokeForDeviceResponse>(&AdminService::RevokeForDevice, of_device),
            Call<v1::RevokeForUserResponse>(&AdminService::RevokeForUser, of_user)};
  }

  void SetUp() override {
    CaTest::SetUp();
    blocks_.emplace(*database_, *outbox_, *revocations_, clock_, random_);
    service_.emplace(*revocations_, *blocks_, *database_);
  }

  std::optional<DeviceBlocks> blocks_;
  std::optional<AdminService> service_;
  std::string administrator_;
};

// Attack: a help desk shuts out, or lets in, those who watch over it.
TEST_F(AdminServiceTest, AHelpDeskTouchesNoCertificateOfAnAdministrator) {
  const auto key = pki::PrivateKey::Generate().value();
  const auto issued = Enroll(Token(key), key);
  DT_ASSERT_OK(issued);
  administrator_ = issued->user_id;
  for (const absl::Status& refused : TouchAll(*issued)) {
    EXPECT_EQ(rpc::ReasonOf(refused), reason::v1::REASON_CALLER_NOT_ALLOWED) << refused;
  }
  const auto kept = database_->Read(
      [&](db::Transaction& txn) { return CertificateStore(txn).FindBySerial(issued->serial); });
  EXPECT_FALSE((*kept)->revoked_at);
  administrator_ = "somebody else";
  for (const absl::Status& allowed : TouchAll(*issued)) DT_EXPECT_OK(allowed);
}

}  // namespace
}  // namespace devicetrust::ca
