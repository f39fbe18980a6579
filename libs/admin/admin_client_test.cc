#include "libs/admin/admin_client.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

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
    EXPECT_TRUE(request->judge_each());
    for (int i = 0; i < request->users_size(); ++i) {
      const v1::UserImport& user = request->users(i);
      // Who has a principal already, as the test says, keeps it unless asked to give it up.
      const auto owner = owners.find(user.principal());
      const bool malformed = user.principal() == "malformed";
      const bool taken = owner != owners.end() && !request->take_over_principals();
      response->add_user_ids(malformed || taken ? "" : "id-" + user.sid());
      if (!malformed && !taken) {
        response->set_added(response->added() + 1);
        continue;
      }
      v1::RefusedUser& refused = *response->add_refused();
      refused.set_index(i);
      refused.set_reason(malformed ? reason::v1::REASON_MALFORMED_REQUEST
                                   : reason::v1::REASON_ALREADY_EXISTS);
      if (taken) refused.set_owner_sid(owner->second);
    }
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
  std::map<std::string, std::string> owners;  // Of principals, by SID.
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

// Only when all have come is a name known to be free; that of somebody who could not be stored is
// not.
TEST_F(AdminClientTest, TakesNamesOverWhenAllOthersAreStored) {
  std::vector<v1::UserImport> people(1500);
  for (std::size_t i = 0; i < people.size(); ++i) people[i].set_sid("S-" + std::to_string(i));
  people[3].set_principal("gone@corp.test");
  people[4].set_principal("moved@corp.test");
  people[5].set_principal("stuck@corp.test");
  people[1400].set_principal("malformed");
  users_.owners = {
      {"gone@corp.test", "S-x"}, {"moved@corp.test", "S-1300"}, {"stuck@corp.test", "S-1400"}};
  const auto answer = client_->ImportUsers(people);
  DT_ASSERT_OK(answer);
  EXPECT_THAT(users_.imports, ElementsAre(1000, 500, 2));
  EXPECT_EQ(answer->added(), 1498);
  EXPECT_EQ(answer->user_ids(3), "id-S-3");
  EXPECT_EQ(answer->user_ids(5), "");
  ASSERT_EQ(answer->refused_size(), 2);
  EXPECT_EQ(answer->refused(0).index(), 1400);
  EXPECT_EQ(answer->refused(1).index(), 5);
}

TEST_F(AdminClientTest, AnErrorSaysHowManyUsersAreStoredAndKeepsItsDetail) {
  users_.imports_max = 2;
  const absl::Status status = client_->ImportUsers(std::vector<v1::UserImport>(2500)).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("2000 users are stored"));
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
  EXPECT_THAT(client_->GetUser("\u200es-1-5-21-1-2-3-1105 ")->id(),
              HasSubstr("sid: \"S-1-5-21-1-2-3-1105\""));
  EXPECT_THAT(client_->GetUser(" 01AF")->id(), HasSubstr("id: \"01af\""));
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
