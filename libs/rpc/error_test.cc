#include "libs/rpc/error.h"

#include <gtest/gtest.h>

#include "google/rpc/status.pb.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/status.h"
#include "libs/testing/status.h"

namespace devicetrust::rpc {
namespace {

using reason::v1::Reason;

TEST(ErrorTest, CrossesGrpcWithItsDetail) {
  const absl::Status sent =
      MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_COMPUTER_DISABLED,
                "computer account is disabled", "PC0042$", "Enable it.", std::chrono::seconds(30));
  const absl::Status received = FromGrpc(ToGrpc(sent));
  EXPECT_EQ(received.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(std::string(received.message()), "computer account is disabled");
  ASSERT_TRUE(DetailOf(received).has_value());
  EXPECT_EQ(DetailOf(received)->subject(), "PC0042$");
  EXPECT_EQ(DetailOf(received)->remedy(), "Enable it.");
  EXPECT_EQ(DetailOf(received)->retry_after().seconds(), 30);
  EXPECT_EQ(ReasonName(received), "COMPUTER_DISABLED");
  EXPECT_EQ(FromGrpc(ToGrpc(absl::OkStatus())), absl::OkStatus());
}

// What strangers send need not be UTF-8, and is quoted all the same.
TEST(ErrorTest, KeepsItsReasonWhateverItQuotes) {
  const absl::Status sent = MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                                      "no app \xf0", "a\xf0");
  EXPECT_EQ(ReasonOf(sent), reason::v1::REASON_APP_UNKNOWN);
  const absl::Status received = FromGrpc(ToGrpc(sent));
  EXPECT_EQ(ReasonOf(received), reason::v1::REASON_APP_UNKNOWN);
  EXPECT_EQ(DetailOf(received)->subject(), "a\xef\xbf\xbd");
  EXPECT_EQ(std::string(received.message()), "no app \xef\xbf\xbd");
}

TEST(ErrorTest, HidesWhatIsInternalAndNamesAReasonForTheRest) {
  const absl::Status internal = FromGrpc(ToGrpc(absl::InternalError("password is hunter2")));
  EXPECT_EQ(std::string(internal.message()), "internal error");
  EXPECT_EQ(ReasonOf(internal), reason::v1::REASON_INTERNAL_ERROR);
  EXPECT_EQ(ReasonOf(FromGrpc(ToGrpc(absl::NotFoundError("no such user")))),
            reason::v1::REASON_UNKNOWN_SUBJECT);
  EXPECT_EQ(ReasonOf(absl::DeadlineExceededError("")), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(absl::OkStatus()), reason::v1::REASON_UNSPECIFIED);
}

// Else the receiver would get "metadata size exceeds limit" instead.
TEST(ErrorTest, QuotesNoMoreThanFitsIntoATrailer) {
  std::string umlauts = "x";
  for (int i = 0; i < 20'000; ++i) umlauts += "ü";
  const grpc::Status sent =
      ToGrpc(MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_USER_UNKNOWN,
                       "no user " + umlauts, umlauts, umlauts));
  EXPECT_LT(3 * sent.error_message().size() + 4 * sent.error_details().size() / 3, 8000U);
  const absl::Status received = FromGrpc(sent);
  EXPECT_EQ(ReasonOf(received), reason::v1::REASON_USER_UNKNOWN);
  EXPECT_TRUE(std::string(received.message()).starts_with("no user xüü"));
  EXPECT_TRUE(std::string(received.message()).ends_with("ü…"));
  EXPECT_TRUE(DetailOf(received)->subject().ends_with("ü…"));
}

TEST(ErrorTest, APositionBeyondTheEndMeansAnotherStore) {
  DT_EXPECT_OK(CheckPosition(0, 0));
  DT_EXPECT_OK(CheckPosition(7, 7));
  DT_EXPECT_CODE(CheckPosition(8, 7), kOutOfRange);
  DT_EXPECT_CODE(CheckPosition(-1, 7), kInvalidArgument);
}

TEST(ErrorTest, KeepsAStatusWhoseDetailIsGarbage) {
  const absl::Status received =
      FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\x01\xFFgarbage"));
  EXPECT_EQ(received.code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(DetailOf(received).has_value());
}

TEST(ErrorTest, TellsAFullStoreFromABrokenOne) {
  const absl::Status full = StoreError(absl::ResourceExhaustedError("the store is full"));
  EXPECT_EQ(full.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(full), reason::v1::REASON_STORE_FULL);
  EXPECT_GT(DetailOf(full)->retry_after().seconds(), 0);
  EXPECT_EQ(ReasonOf(StoreError(absl::UnavailableError("disk"))),
            reason::v1::REASON_STORE_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(StoreError(full)), reason::v1::REASON_STORE_FULL);
  DT_EXPECT_CODE(StoreError(absl::NotFoundError("row")), kNotFound);
}

// As a result among others, an error says what it says as the answer of a call.
TEST(StatusTest, TravelsAsAMessage) {
  const absl::Status error =
      MakeError(absl::StatusCode::kPermissionDenied, Reason::REASON_USER_DEACTIVATED, "deactivated",
                "ada@corp.test", "Activate the user.");
  const absl::Status back = FromMessage(ToMessage(error));
  EXPECT_EQ(back, error);
  EXPECT_EQ(DetailOf(back)->subject(), "ada@corp.test");
  EXPECT_EQ(FromMessage(ToMessage(absl::OkStatus())), absl::OkStatus());
  const absl::Status hidden = FromMessage(ToMessage(absl::InternalError("secret")));
  EXPECT_EQ(hidden.message(), "internal error");
  EXPECT_EQ(ReasonOf(hidden), Reason::REASON_INTERNAL_ERROR);
}

TEST(CallerTest, ReadsTheFourParts) {
  const Caller gateway = ParseCaller("urn:devicetrust:acme:component:gateway-2").value();
  EXPECT_EQ(gateway.name, "gateway-2");
  EXPECT_EQ(gateway.role, "gateway");
  EXPECT_EQ(gateway.org, "acme");
  EXPECT_EQ(gateway.ToString(), "component:gateway-2");
  EXPECT_EQ(ParseCaller("urn:devicetrust:acme:admin:ada").value().role, "admin");
  EXPECT_EQ(ParseCaller("urn:devicetrust:acme:component:iwa").value().role, "iwa");
}

// Each must not pass for anybody, least of all for an admin.
TEST(CallerTest, RefusesEverythingElse) {
  for (const char* uri :
       {"", "urn:devicetrust:acme:component:", "urn:devicetrust::component:ca",
        "urn:devicetrust:acme:device:0a1b", "urn:devicetrust:acme:component:admin",
        "urn:devicetrust:acme:component:admin-1", "urn:devicetrust:acme:component:ca:x",
        "urn:devicetrust:acme:component:CA", "urn:devicetrust:acme:Admin:ada",
        "https://devicetrust/acme/admin/ada", "urn:devicetrust:acme:admin:a b"}) {
    DT_EXPECT_CODE(ParseCaller(uri), kUnauthenticated) << uri;
  }
}

}  // namespace
}  // namespace devicetrust::rpc
