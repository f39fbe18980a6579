#include "policy-engine/service_answer.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

TEST(RequireAdminTest, LetsAdminsInAndNobodyElse) {
  const rpc::Caller admin{rpc::Caller::Kind::kAdmin, "ada", "admin", "acme"};
  const auto let_in = RequireAdmin(admin);
  DT_ASSERT_OK(let_in);
  EXPECT_EQ(let_in->name, "ada");

  // A component of that name and role is none.
  const rpc::Caller component{rpc::Caller::Kind::kComponent, "ada", "admin", "acme"};
  EXPECT_EQ(rpc::ReasonOf(RequireAdmin(component).status()), reason::v1::REASON_CALLER_NOT_ALLOWED);
  DT_EXPECT_CODE(RequireAdmin(absl::UnauthenticatedError("no certificate")), kUnauthenticated);
}

TEST(AnswerTest, KeepsReasonsAndHidesTheStore) {
  int value = 0;
  EXPECT_TRUE(Answer<int>(7, &value).ok());
  EXPECT_EQ(value, 7);
  const grpc::Status full = Answer<int>(absl::ResourceExhaustedError("disk"), &value);
  EXPECT_EQ(full.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(rpc::ReasonOf(rpc::FromGrpc(full)), reason::v1::REASON_STORE_FULL);
  EXPECT_EQ(value, 7);
}

}  // namespace
}  // namespace devicetrust::policy
