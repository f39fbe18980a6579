#include "libs/pki/pkcs11.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <future>
#include <thread>
#include <vector>

#include "libs/base/files.h"
#include "libs/base/wait_until.h"
#include "libs/pki/certificate.h"
#include "libs/pki/crl.h"
#include "libs/testing/soft_hsm.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/test_pkcs11.h"

namespace devicetrust::pki {
namespace {

using std::chrono::milliseconds;
using testing::SoftHsm;

// CKR_... and CKF_... of PKCS#11, by their numbers.
constexpr unsigned long kDeviceError = 0x30;
constexpr unsigned long kObjectHandleInvalid = 0x82;
constexpr unsigned long kSessionHandleInvalid = 0xb3;
constexpr unsigned long kUserPinFinalTry = 0x20000;
constexpr unsigned long kUserPinLocked = 0x40000;

class Pkcs11Test : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SoftHsm::IsInstalled()) GTEST_SKIP() << "softhsm2 is not installed";
    options_.module_path = SoftHsm::WrapperModule();
    options_.pin_file = hsm().pin_file();
    options_.retry_min = options_.retry_max = milliseconds(1);
    options_.deadline = std::chrono::seconds(20);  // This machine may be slow.
    void* const module = dlopen(SoftHsm::WrapperModule().c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(module, nullptr) << dlerror();
    wrapper_ = reinterpret_cast<testing::TestPkcs11Function*>(
        dlsym(module, testing::kTestPkcs11Function))();
  }
  void TearDown() override {
    if (wrapper_ == nullptr) return;
    wrapper_->sign_millis = 0;
    wrapper_->sign_failures = 0;
    wrapper_->token_flags = 0;
    wrapper_->gives_bare_points = false;
    wrapper_->hides_public_keys = false;
  }

  static SoftHsm& hsm() { return SoftHsm::Shared(); }
  // A new key in a token, of an id of its own.
  PrivateKey Import(const std::string& token = "token-1", KeyType type = KeyType::kP256,
                    const std::string& label = "ca") {
    static int last = 0x10;
    id_ = fmt::format("{:02X}", ++last);
    PrivateKey key = PrivateKey::Generate(type).value();
    hsm().Import(token, id_, label, key.Pem());
    return key;
  }
  std::string Uri(const std::string& token = "token-1") const {
    return fmt::format("pkcs11:token={};id=%{}", token, id_);
  }
  absl::Status TrySigning(const Signer& signer) const {
    const absl::StatusOr<Bytes> signature = signer.Sign(AsBytes("message"));
    DT_RETURN_IF_ERROR(signature.status());
    if (signer.public_key().Verify(AsBytes("message"), *signature)) return absl::OkStatus();
    return absl::InternalError("the signature does not verify");
  }

  testing::TempFolder folder_;
  testing::TestPkcs11* wrapper_ = nullptr;
  Pkcs11Options options_;
  std::string id_;
};

TEST_F(Pkcs11Test, SignsCertificatesAndListsWithAKeyThatStaysInTheToken) {
  for (const KeyType type : {KeyType::kP256, KeyType::kP384}) {
    const PrivateKey key = Import("token-1", type);
    const auto found = Pkcs11Key::Find(Uri(), options_);
    DT_ASSERT_OK(found);
    EXPECT_EQ((*found)->public_key(), key.public_key());
    DT_EXPECT_OK((*found)->Check());
    const Signer signer = SignerFor(*found).value();
    const WallTime now = SystemClock().Now();
    const auto ca = SignSelf({.common_name = "CA",
                              .serial_hex = "01",
                              .usage = Usage::kCa,
                              .not_before = now,
                              .not_after = now + std::chrono::days(1)},
                             signer);
    DT_ASSERT_OK(ca);
    const Crl crl{1, now, now + std::chrono::hours(1), {}};
    const auto list = BuildCrl(crl, {*ca, signer});
    DT_ASSERT_OK(list);
    DT_EXPECT_OK(ParseCrl(*list, *ca));
  }
}

TEST_F(Pkcs11Test, TakesBothFormsOfAPoint) {
  const PrivateKey key = Import();
  wrapper_->gives_bare_points = true;
  const auto found = Pkcs11Key::Find(Uri(), options_);
  DT_ASSERT_OK(found);
  EXPECT_EQ((*found)->public_key(), key.public_key());
}

TEST_F(Pkcs11Test, SignsNothingWithAnotherKeyThanTheCertificates) {
  Import();
  const PrivateKey other = PrivateKey::Generate().value();
  const auto by_public_key = Pkcs11Key::For(Uri(), other.public_key(), options_);
  DT_ASSERT_OK(by_public_key);
  DT_EXPECT_CODE((*by_public_key)->Check(), kFailedPrecondition);
  const int before = wrapper_->signatures;
  DT_EXPECT_CODE(SignerFor(*by_public_key)->Sign(AsBytes("message")), kFailedPrecondition);
  EXPECT_EQ(wrapper_->signatures, before);

  // A token that keeps no public half shows by its first signature which key it has.
  wrapper_->hides_public_keys = true;
  const auto by_signature = Pkcs11Key::For(Uri(), other.public_key(), options_);
  DT_EXPECT_CODE(SignerFor(*by_signature)->Sign(AsBytes("message")), kFailedPrecondition);
  DT_EXPECT_CODE(Pkcs11Key::Find(Uri(), options_), kFailedPrecondition);
}

TEST_F(Pkcs11Test, ChoosesAmongKeysOfOneLabelByTheirId) {
  const PrivateKey first = Import();
  const std::string first_uri = Uri();
  const PrivateKey second = Import();
  DT_EXPECT_OK(
      TrySigning(SignerFor(*Pkcs11Key::For(first_uri, first.public_key(), options_)).value()));
  DT_EXPECT_OK(
      TrySigning(SignerFor(*Pkcs11Key::For(Uri(), second.public_key(), options_)).value()));
  const auto by_label =
      Pkcs11Key::For("pkcs11:token=token-1;object=ca", first.public_key(), options_);
  const absl::Status refused = (*by_label)->Check();
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_NE(refused.message().find("id="), std::string::npos);
  const auto absent = Pkcs11Key::For("pkcs11:token=token-1;id=%EE", first.public_key(), options_);
  DT_EXPECT_CODE((*absent)->Check(), kFailedPrecondition);
  const auto ambiguous = Pkcs11Key::For("pkcs11:id=%11", first.public_key(), options_);
  DT_EXPECT_CODE((*ambiguous)->Check(), kFailedPrecondition);  // Four tokens match.
}

TEST_F(Pkcs11Test, SignsOnSeveralSessionsAtOnce) {
  const PrivateKey key = Import();
  const Signer signer = SignerFor(*Pkcs11Key::For(Uri(), key.public_key(), options_)).value();
  wrapper_->signing_max = 0;
  wrapper_->sign_millis = 20;
  std::vector<std::future<absl::Status>> ends;
  for (int i = 0; i < 16; ++i) {
    ends.push_back(std::async(std::launch::async, [&] { return TrySigning(signer); }));
  }
  for (auto& end : ends) DT_EXPECT_OK(end.get());
  EXPECT_GT(wrapper_->signing_max, 1);
  EXPECT_LE(wrapper_->signing_max, 4);
}

TEST_F(Pkcs11Test, GoesOnAfterTheTokenWasAway) {
  const PrivateKey key = Import();
  const Signer signer = SignerFor(*Pkcs11Key::For(Uri(), key.public_key(), options_)).value();
  DT_ASSERT_OK(TrySigning(signer));
  hsm().PullOut();
  for (int i = 0; i < 3; ++i) DT_EXPECT_CODE(TrySigning(signer), kUnavailable);
  hsm().PutBack();
  DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return TrySigning(signer).ok(); },
                         milliseconds(1), std::chrono::seconds(20)));
}

TEST_F(Pkcs11Test, LooksTheKeyUpAndOpensTheSessionAgainOnce) {
  const PrivateKey key = Import();
  options_.sessions_max = 1;
  const Signer signer = SignerFor(*Pkcs11Key::For(Uri(), key.public_key(), options_)).value();
  DT_ASSERT_OK(TrySigning(signer));
  for (const unsigned long result : {kObjectHandleInvalid, kSessionHandleInvalid}) {
    wrapper_->sign_result = result;
    wrapper_->sign_failures = 1;
    DT_EXPECT_OK(TrySigning(signer));
    wrapper_->sign_failures = 2;
    DT_EXPECT_CODE(TrySigning(signer), kUnavailable);
    DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return TrySigning(signer).ok(); },
                           milliseconds(1), std::chrono::seconds(20)));
  }
  // What a device says of itself is not tried again at once.
  wrapper_->sign_result = kDeviceError;
  wrapper_->sign_failures = 1;
  const absl::Status failed = TrySigning(signer);
  DT_EXPECT_CODE(failed, kUnavailable);
  EXPECT_NE(failed.message().find("CKR_DEVICE_ERROR"), std::string::npos) << failed;
}

TEST_F(Pkcs11Test, RefusesAtOnceWhileAFailedTokenIsLeftAlone) {
  const PrivateKey key = Import();
  options_.retry_min = options_.retry_max = std::chrono::hours(1);
  const Signer signer = SignerFor(*Pkcs11Key::For(Uri(), key.public_key(), options_)).value();
  wrapper_->sign_result = kDeviceError;
  wrapper_->sign_failures = 1;
  DT_EXPECT_CODE(TrySigning(signer), kUnavailable);
  const int before = wrapper_->signatures;
  DT_EXPECT_CODE(TrySigning(signer), kUnavailable);
  EXPECT_EQ(wrapper_->signatures, before);
}

TEST_F(Pkcs11Test, DoesNotWaitForATokenThatAnswersSlowly) {
  const PrivateKey key = Import();
  options_.sessions_max = 2;
  options_.deadline = milliseconds(300);
  wrapper_->sign_millis = 1500;
  const Signer signer = SignerFor(*Pkcs11Key::For(Uri(), key.public_key(), options_)).value();
  std::vector<std::future<absl::Status>> ends;
  for (int i = 0; i < 6; ++i) {
    ends.push_back(std::async(std::launch::async, [&] { return TrySigning(signer); }));
  }
  for (auto& end : ends) DT_EXPECT_CODE(end.get(), kUnavailable);
  // Both threads are inside of the module now: nobody queues up behind them.
  const auto begin = std::chrono::steady_clock::now();
  const absl::Status refused = TrySigning(signer);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, options_.deadline);
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_NE(refused.message().find("300 ms"), std::string::npos) << refused;
  wrapper_->sign_millis = 0;
  DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return TrySigning(signer).ok(); },
                         milliseconds(1), std::chrono::seconds(20)));
}

TEST_F(Pkcs11Test, GivesAWrongPinOnceAndTheRightOneAfterwards) {
  const PrivateKey key = Import("token-2");
  options_.pin_file = folder_ / "pin";
  DT_ASSERT_OK(WriteFileAtomically(options_.pin_file, "9999\n"));
  const auto with_wrong = Pkcs11Key::For(Uri("token-2"), key.public_key(), options_);
  DT_ASSERT_OK(with_wrong);
  const int before = wrapper_->logins;
  for (int i = 0; i < 5; ++i) {
    const absl::Status refused = (*with_wrong)->Check();
    DT_EXPECT_CODE(refused, kFailedPrecondition);
    EXPECT_NE(refused.message().find(options_.pin_file), std::string::npos) << refused;
  }
  // Another key of the same token, and so another pool of sessions, gives it no more either.
  DT_EXPECT_CODE(Pkcs11Key::Find(Uri("token-2"), options_), kFailedPrecondition);
  EXPECT_EQ(wrapper_->logins, before + 1);
  DT_ASSERT_OK(WriteFileAtomically(options_.pin_file, std::string(SoftHsm::kPin) + "\r\n"));
  DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return (*with_wrong)->Check().ok(); },
                         milliseconds(1), std::chrono::seconds(20)));
}

TEST_F(Pkcs11Test, GivesNoPinToATokenThatIsAboutToLock) {
  const PrivateKey key = Import("token-3");
  const int before = wrapper_->logins;
  for (const unsigned long flag : {kUserPinFinalTry, kUserPinLocked}) {
    wrapper_->token_flags = flag;
    const auto guarded = Pkcs11Key::For(Uri("token-3"), key.public_key(), options_);
    DT_EXPECT_CODE((*guarded)->Check(), kFailedPrecondition);
  }
  EXPECT_EQ(wrapper_->logins, before);
}

TEST_F(Pkcs11Test, WantsAPinFileThatNobodyElseReads) {
  const PrivateKey key = Import("token-4");
  options_.pin_file = folder_ / "pin";
  DT_ASSERT_OK(WriteFileAtomically(options_.pin_file, SoftHsm::kPin, 0644));
  const auto shared = Pkcs11Key::For(Uri("token-4"), key.public_key(), options_);
  DT_EXPECT_CODE((*shared)->Check(), kFailedPrecondition);
  options_.pin_file.clear();
  const auto none = Pkcs11Key::For(Uri("token-4"), key.public_key(), options_);
  const absl::Status refused = (*none)->Check();
  EXPECT_NE(refused.message().find("pin-source"), std::string::npos) << refused;
}

TEST_F(Pkcs11Test, SaysThatAnRsaKeyIsOfNoCurve) {
  std::string pem;
  FILE* const openssl = popen("openssl genpkey -quiet -algorithm RSA", "r");
  ASSERT_NE(openssl, nullptr);
  std::array<char, 4096> piece{};
  while (const std::size_t count = fread(piece.data(), 1, piece.size(), openssl)) {
    pem.append(piece.data(), count);
  }
  ASSERT_EQ(pclose(openssl), 0);
  hsm().Import("token-1", "7A", "rsa", pem);
  const auto read = Pkcs11Key::Find("pkcs11:token=token-1;id=%7A", options_);
  DT_EXPECT_CODE(read, kFailedPrecondition);
  EXPECT_NE(read.status().message().find("on neither P-256 nor P-384"), std::string::npos)
      << read.status();
}

TEST_F(Pkcs11Test, NamesAModuleThatIsNone) {
  const PrivateKey key = PrivateKey::Generate().value();
  options_.module_path = "/usr/lib/no-such-module.so";
  const auto absent = Pkcs11Key::For("pkcs11:id=%01", key.public_key(), options_);
  const absl::Status refused = (*absent)->Check();
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_NE(refused.message().find("no-such-module"), std::string::npos) << refused;
  options_.module_path.clear();
  const auto unnamed = Pkcs11Key::For("pkcs11:id=%01", key.public_key(), options_);
  DT_EXPECT_CODE((*unnamed)->Check(), kFailedPrecondition);
  DT_EXPECT_CODE(Pkcs11Key::For("ca.key", key.public_key(), options_), kInvalidArgument);
}

TEST_F(Pkcs11Test, SignsInAChildToo) {
  const PrivateKey key = Import();
  const Signer signer = SignerFor(*Pkcs11Key::For(Uri(), key.public_key(), options_)).value();
  DT_ASSERT_OK(TrySigning(signer));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(TrySigning(signer).ok() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  DT_EXPECT_OK(TrySigning(signer));  // And it is still the parent's.
}

}  // namespace
}  // namespace devicetrust::pki
