#include "libs/admin/admin_client.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "devicetrust/org/v1/users.grpc.pb.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/testing/status.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// An org with users "u0" to "u2499", three a page, that takes so many calls of ImportUsers.
class FakeUsers final : public v1::UserService::Service {
 public:
  grpc::Status ImportUsers(grpc::ServerContext* /*context*/, const v1::ImportUsersRequest* request,
                           v1::ImportUsersResponse* response) override {
    if (static_cast<int>(imports.size()) == imports_max) {
      return rpc::ToGrpc(rpc::MakeError(absl::StatusCode::kInvalidArgument,
                                        reason::v1::REASON_MALFORMED_REQUEST, "no SID", "u7"));
    }
    imports.push_back(request->users_size());
    response->set_added(request->users_size());
    return grpc::Status::OK;
  }

  grpc::Status ListUsers(grpc::ServerContext* /*context*/, const v1::ListUsersRequest* request,
                         v1::ListUsersResponse* response) override {
    const int begin = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    const int end = begin + std::min(3, request->page_size());
    for (int i = begin; i < end; ++i) response->add_users()->set_id("u" + std::to_string(i));
    response->set_next_page_token(std::to_string(end));
    return grpc::Status::OK;
  }

  grpc::Status GetUser(grpc::ServerContext* /*context*/, const v1::GetUserRequest* request,
                       v1::GetUserResponse* response) override {
    response->mutable_user()->set_id(request->ShortDebugString());
    return grpc::Status::OK;
  }

  int imports_max = 100;
  std::vector<int> imports;
};

class AdminClientTest : public ::testing::Test {
 protected:
  AdminClientTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&users_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<AdminClient>(Channels{server_->InProcessChannel({}), nullptr},
                                            AdminConfig{});
  }

  FakeUsers users_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<AdminClient> client_;
};

TEST_F(AdminClientTest, ImportsManyUsersInSeveralCallsAndAddsThemUp) {
  const auto answer = client_->ImportUsers(std::vector<v1::UserImport>(2500));
  DT_ASSERT_OK(answer);
  EXPECT_EQ(answer->added(), 2500);
  EXPECT_THAT(users_.imports, ElementsAre(1000, 1000, 500));
}

TEST_F(AdminClientTest, AnErrorSaysHowManyUsersAreStoredAndKeepsItsDetail) {
  users_.imports_max = 2;
  const absl::Status status = client_->ImportUsers(std::vector<v1::UserImport>(2500)).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("first 2000 users are stored"));
  EXPECT_EQ(rpc::DetailOf(status)->subject(), "u7");
}

TEST_F(AdminClientTest, AsksForPagesUntilThereIsEnough) {
  const auto users = client_->ListUsers("", 7);
  DT_ASSERT_OK(users);
  ASSERT_EQ(users->size(), 7U);
  EXPECT_EQ(users->back().id(), "u6");
}

TEST_F(AdminClientTest, NamesAUserByWhatTheNameLooksLike) {
  EXPECT_THAT(client_->GetUser("ada@corp.test")->id(), HasSubstr("principal:"));
  EXPECT_THAT(client_->GetUser("S-1-5-21-1-2-3-1105")->id(), HasSubstr("sid:"));
  EXPECT_THAT(client_->GetUser("01HF")->id(), HasSubstr("id: \"01HF\""));
}

TEST_F(AdminClientTest, WithoutAnAddressItNamesTheOption) {
  const absl::Status status = client_->GetIssuers().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--ca-address"));
}

TEST(AdminClientPeerTest, AServiceThatDoesNotAnswerIsNamedWithItsAddress) {
  const std::string address = "127.0.0.1:1";  // Nobody listens on it.
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  AdminClient client({channel, channel}, {.org_address = address, .ca_address = address});
  for (const absl::Status& status : {client.GetSettings().status(), client.GetIssuers().status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(rpc::ReasonOf(status), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
    EXPECT_THAT(std::string(status.message()), HasSubstr(address));
  }
}

}  // namespace
}  // namespace devicetrust::admin
